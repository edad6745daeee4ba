"""kill -9 of a component during traffic: what is established goes on, what is new works soon, nothing said is lost."""

import json
import os
import signal
import subprocess
import threading
import time
from typing import Any

import pytest
from tests.e2e.lab import Lab, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ECHO = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: echo
        image: python
        command: [python3, -c]
        args:
        - |
          import asyncio
          async def echo(reader, writer):
              while data := await reader.read(100):
                  writer.write(data)
          async def main():
              async with await asyncio.start_server(echo, "0.0.0.0", 7000) as server:
                  await server.serve_forever()
          asyncio.run(main())
        readinessProbe: {tcpSocket: {port: 7000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {selector: {app: echo}, ports: [{port: 7000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  containers:
  - {name: client, image: python, command: [sleep, infinity]}
"""

TRAFFIC = """
import json, socket, sys, time
address, seconds = sys.argv[1], float(sys.argv[2])
kept = socket.create_connection((address, 7000), timeout=2)
failures, broken, end = [], 0, time.time() + seconds
while time.time() < end:
    kept.sendall(b"x")
    try:
        broken += kept.recv(1) != b"x"
    except OSError:
        broken += 1
    try:
        with socket.create_connection((address, 7000), timeout=0.5) as new:
            new.sendall(b"y")
            assert new.recv(1) == b"y"
    except (OSError, AssertionError):
        failures.append(time.time())
    time.sleep(0.05)
print(json.dumps({"broken": broken, "failures": failures}))
"""


class Traffic:
    """One connection kept and one made anew every 50 ms, from a pod to the Service."""

    def __init__(self, lab: Lab, namespace: str, seconds: float) -> None:
        address = lab.get("service", "echo", "-n", namespace)["spec"]["clusterIP"]
        # Not through the API server: a test kills it.
        pid = _container_pid(lab, namespace)
        self._process = subprocess.Popen(
            ["nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", TRAFFIC, address, str(seconds)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def result(self) -> Any:
        output, _ = self._process.communicate(timeout=60)
        return json.loads(output)


def _container_pid(lab: Lab, namespace: str) -> int:
    """The client's process as this machine counts: it sleeps in a node, in the pod's network namespace."""
    uid = lab.get("pod", "client", "-n", namespace)["metadata"]["uid"]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cgroup") as file:
                    if uid in file.read():
                        return int(entry)
            except OSError:
                continue
    raise AssertionError("the client pod has no process")


@pytest.fixture
def echo(lab: Lab, namespace: str) -> str:
    lab.apply(ECHO, namespace)
    lab.kubectl("rollout", "status", "-n", namespace, "deployment/echo", "--timeout=60s")
    lab.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/client", "--timeout=60s")
    return namespace


def _kill(lab: Lab, component: str, node: str = "") -> float:
    os.kill(lab.component(component, node)["pid"], signal.SIGKILL)
    return time.time()


@pytest.mark.parametrize(
    ("component", "node"),
    [("apiserver", ""), ("kubelet", "node1"), ("proxy", "node1"), ("network", "node1"), ("containerd", "node1")],
)
def test_traffic_goes_on(lab: Lab, echo: str, component: str, node: str) -> None:
    traffic = Traffic(lab, echo, 6)
    time.sleep(1)
    killed = _kill(lab, component, node)
    result = traffic.result()
    assert result["broken"] == 0
    assert [at - killed for at in result["failures"] if at > killed + 1] == []
    until(lambda: {c["health"] for c in lab.status()["components"]} == {"ok"}, f"{component} is well again")
    lab.kubectl("scale", "-n", echo, "deployment/echo", "--replicas=3")
    lab.kubectl("rollout", "status", "-n", echo, "deployment/echo", "--timeout=60s")
    slices = ("endpointslices", "-n", echo, "-l", "kubernetes.io/service-name=echo")
    until(lambda: sum(len(s["endpoints"]) for s in lab.get(*slices)["items"]) == 3, "three endpoints")


def test_names_resolve_again_after_a_dns_pod_was_killed(lab: Lab, echo: str) -> None:
    pods = lab.get("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"]
    victim = pods[0]["metadata"]["uid"]
    traffic = Traffic(lab, echo, 6)
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cgroup") as cgroup, open(f"/proc/{entry}/cmdline") as command:
                if victim in cgroup.read() and "dns" in command.read():
                    os.kill(int(entry), signal.SIGKILL)
        except OSError:
            continue
    pid = _container_pid(lab, echo)
    dig = ["nsenter", f"--net=/proc/{pid}/ns/net", "dig", "+short", "+tries=1", "+time=1", "@10.96.0.10"]

    def resolves() -> bool:
        answers = [subprocess.run([*dig, f"echo.{echo}.svc.cluster.local"], capture_output=True) for _ in range(10)]
        return all(answer.returncode == 0 and answer.stdout.startswith(b"10.") for answer in answers)

    until(resolves, "ten queries in a row are answered", timeout=15)
    assert traffic.result()["broken"] == 0


@pytest.mark.timeout(120)
def test_no_acknowledged_write_is_lost(lab: Lab, namespace: str) -> None:
    acknowledged: list[str] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            name = f"w{writer}-{number}"
            done = lab.try_kubectl("create", "configmap", name, "-n", namespace, f"--from-literal=a={number}")
            if done.code == 0:
                acknowledged.append(name)
            number += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    for _ in range(2):
        time.sleep(1.5)
        _kill(lab, "apiserver")
    time.sleep(1)
    stop.set()
    for writer in writers:
        writer.join()
    until(lambda: lab.try_kubectl("get", "--raw", "/readyz").code == 0, "the API server is ready")
    kept = {item["metadata"]["name"] for item in lab.get("configmaps", "-n", namespace)["items"]}
    assert len(acknowledged) > 3
    assert set(acknowledged) <= kept
