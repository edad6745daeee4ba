"""The whole server in a process of its own: kubectl, identities, kill -9, bad flags."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.apiserver.process import Process

from weft.cluster.errors import ApiError, Expired, Forbidden, Unavailable
from weft.cluster.objects.resource import CONFIGMAPS, SECRETS
from weft.cluster.real import HttpCluster


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    made = Process(tmp_path)
    made.start()
    try:
        await made.ready()
        yield made
    finally:
        made.kill()


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "data": data}


async def test_kill_9_under_load_loses_no_acknowledged_write(process: Process) -> None:
    acknowledged: dict[str, str] = {}

    async def write(cluster: HttpCluster, worker: int) -> None:
        for number in range(100_000):
            name, value = f"w{worker}-{number % 20}", str(number)
            try:
                if number < 20:
                    await cluster.create(CONFIGMAPS, config_map(name, n=value))
                else:
                    await cluster.patch(CONFIGMAPS, name, {"data": {"n": value}}, "default")
            except (Unavailable, ApiError):
                return
            acknowledged[name] = value

    async with process.cluster() as cluster:
        writers = [asyncio.create_task(write(cluster, worker)) for worker in range(8)]
        await asyncio.sleep(1.5)
        process.kill()
        await asyncio.gather(*writers)
    assert len(acknowledged) > 50
    process.start()
    await process.ready()
    async with process.cluster() as cluster:
        stored = {item["metadata"]["name"]: item["data"]["n"] for item in await _all(cluster)}
    for name, value in acknowledged.items():
        # What was sent but not acknowledged may be there too, one step further.
        assert int(stored[name]) in (int(value), int(value) + 20), name


async def _all(cluster: HttpCluster) -> list[dict[str, dict[str, str]]]:
    listing = await cluster.list(CONFIGMAPS, "default", as_=dict)
    return list(listing.items)


async def test_a_watch_goes_on_over_a_restart(process: Process) -> None:
    async with process.cluster() as cluster:
        made = await cluster.create(CONFIGMAPS, config_map("a"))
        await cluster.create(CONFIGMAPS, config_map("b"))
    process.kill()
    process.start()
    await process.ready()
    async with process.cluster() as cluster:
        version = made["metadata"]["resourceVersion"]
        events = cluster.watch(CONFIGMAPS, "default", as_=dict, resource_version=version)
        assert (await anext(events)).object["metadata"]["name"] == "b"  # type: ignore[index]
        await events.aclose()  # type: ignore[attr-defined]
        listing = await cluster.list(CONFIGMAPS, as_=dict)
        beyond = str(int(listing.resource_version) + 10)
        with pytest.raises((Unavailable, Expired)):
            await cluster.list(CONFIGMAPS, as_=dict, resource_version=beyond)


async def test_a_stop_is_orderly(process: Process) -> None:
    async with process.cluster() as cluster:
        await cluster.create(CONFIGMAPS, config_map("a"))
        assert process.stop() == 0
    process.start()
    await process.ready()
    async with process.cluster() as cluster:
        assert (await cluster.get(CONFIGMAPS, "a", "default", as_=dict))["metadata"]["name"] == "a"


async def test_certificates_say_who_asks(process: Process) -> None:
    async with process.cluster("scheduler") as scheduler:
        with pytest.raises(Forbidden, match='User "system:kube-scheduler" cannot list resource "secrets"'):
            await scheduler.list(SECRETS, as_=dict)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
async def test_kubectl(process: Process) -> None:
    environment = {**os.environ, "KUBECONFIG": str(process.kubeconfig()), "HOME": str(process.home)}

    def kubectl(*arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["kubectl", *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def walk() -> None:
        kubectl("create", "namespace", "walk")
        kubectl("create", "configmap", "c", "-n", "walk", "--from-literal=a=b")
        kubectl("create", "secret", "generic", "s", "-n", "walk", "--from-literal=a=b")
        kubectl("create", "deployment", "web", "-n", "walk", "--image=nginx")
        kubectl("scale", "deployment", "web", "-n", "walk", "--replicas=3")
        kubectl("set", "image", "deployment/web", "-n", "walk", "nginx=nginx:2")
        kubectl("label", "deployment", "web", "-n", "walk", "tier=front")
        kubectl("annotate", "deployment", "web", "-n", "walk", "note=x")
        kubectl("expose", "deployment", "web", "-n", "walk", "--port=80")
        found = json.loads(kubectl("get", "deployment", "web", "-n", "walk", "-o", "json"))
        assert found["spec"]["replicas"] == 3 and found["metadata"]["labels"]["tier"] == "front"
        assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
        assert json.loads(kubectl("get", "service", "web", "-n", "walk", "-o", "json"))["spec"]["clusterIP"]
        manifest = json.dumps(config_map("applied", a="1"))
        assert "created" in kubectl("apply", "-f", "-", stdin=manifest)
        assert "unchanged" in kubectl("apply", "-f", "-", stdin=manifest)
        assert "configured" in kubectl("apply", "-f", "-", stdin=json.dumps(config_map("applied", b="2")))
        assert json.loads(kubectl("get", "cm", "applied", "-o", "json"))["data"] == {"b": "2"}
        assert "yes" in kubectl("auth", "can-i", "delete", "pods")
        assert "hostAliases" in kubectl("explain", "pod.spec.hostAliases")
        kubectl("wait", "--for=jsonpath={.data.b}=2", "cm/applied", "--timeout=5s")
        kubectl("delete", "cm", "applied")
        kubectl("delete", "deployment,service,cm,secret", "--all", "-n", "walk")

    await asyncio.to_thread(walk)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--secure-port=70000"], "--secure-port 70000: a port is 0 to 65535"),
        (["--service-cluster-ip-range=10.96.0.1/12"], "--service-cluster-ip-range"),
        (["--service-node-port-range=a-b"], "--service-node-port-range a-b: write it as FIRST-LAST"),
        (["--service-node-port-range=40000-30000"], "the first not above the last"),
        (["--bind-address=here"], "--bind-address"),
        (["--tls-cert-file=/nowhere"], "--tls-cert-file /nowhere: No such file or directory; name a readable PEM file"),
        (["--kubelet-client-key=/dev/null", "--kubelet-client-certificate="], "give both or none"),
        (["--service-account-signing-key-file=/dev/null"], "is not an unencrypted private key in PEM"),
        (["--client-ca-file=/dev/null"], "--client-ca-file /dev/null"),
        (["--data=/proc/nothing/store.db"], "--data"),
    ],
)
def test_bad_flags_are_one_line(tmp_path: Path, flags: list[str], words: str) -> None:
    process = Process(tmp_path)
    process.start(*flags)
    assert process.started is not None and process.started.wait(20) == 2
    assert words in process.log() and "Traceback" not in process.log()


def test_a_port_in_use(tmp_path: Path) -> None:
    first = Process(tmp_path)
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.port))
        taken.listen()
        first.start()
        assert first.started is not None and first.started.wait(20) == 2
    assert f"--secure-port {first.port}: cannot listen" in first.log()
