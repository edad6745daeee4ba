"""`weft network` as a process of its own, against the real kube-apiserver; killed, started again, its pods unharmed."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.overlay.nodes import apply, host
from tests.peers import kube_apiserver, peer
from tests.spaces import MakeSpace, ping

from weft.kernel.real import netns
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.change import Add, Replace
from weft.kernel.state.link import Bridge, Link

pytestmark = [pytest.mark.root, pytest.mark.peer]

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node1"},
    "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]},
}
STATUS = {"status": {"addresses": [{"type": "InternalIP", "address": "172.30.0.11"}]}}


@pytest.fixture
def cluster(make_space: MakeSpace) -> Iterator[tuple[str, Path]]:
    """The node's namespace, with an API server on its loopback; and an administrator's kubeconfig."""
    space = make_space("node1")
    apply(space, Replace(Link("lo")), Add(Link("eth0", Bridge())), *host("eth0", 11))
    # A child is born into the namespace of the thread that forks it.
    with netns.entered(space), kube_apiserver() as kubeconfig:
        yield space, kubeconfig


def kubectl(kubeconfig: Path, *words: str, stdin: object = None) -> str:
    command = [str(peer("kubectl")), "--kubeconfig", str(kubeconfig), *words]
    done = subprocess.run(command, input=json.dumps(stdin), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def network(kubeconfig: Path, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "weft.overlay", f"--kubeconfig={kubeconfig}", "--node-name=node1"]
    argv += ["--cluster-cidr=10.244.0.0/16", f"--cni-conf-dir={directory}/net.d", f"--cni-bin-dir={directory}/bin"]
    argv += [f"--socket={directory}/cni.sock", f"--state-dir={directory}/state"]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(check: Callable[[], object], directory: Path) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline, (directory / "log").read_text()
        time.sleep(0.02)


def cni(directory: Path, verb: str, pod: str) -> tuple[int, bytes]:
    env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": pod, "CNI_NETNS": f"/run/netns/{pod}", "CNI_IFNAME": "eth0"}
    stdin = b'{"cniVersion":"1.0.0","name":"weft","type":"weft"}'
    done = subprocess.run([directory / "bin" / "weft"], env=env, input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout


def conditions(kubeconfig: Path) -> dict[str, str]:
    node = json.loads(kubectl(kubeconfig, "get", "node", "node1", "-o", "json"))
    return {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}


def test_against_the_real_api_server(cluster: tuple[str, Path], make_space: MakeSpace, tmp_path: Path) -> None:
    space, kubeconfig = cluster
    kubectl(kubeconfig, "create", "-f", "-", stdin=NODE)
    kubectl(kubeconfig, "patch", "node", "node1", "--subresource=status", "-p", json.dumps(STATUS))
    conflist = tmp_path / "net.d" / "10-weft.conflist"
    one, two = make_space("one"), make_space("two")
    with network(kubeconfig, tmp_path) as process:
        eventually(conflist.exists, tmp_path)
        eventually(lambda: conditions(kubeconfig).get("NetworkUnavailable") == "False", tmp_path)
        assert cni(tmp_path, "ADD", one)[0] == 0
        process.kill()
        process.wait()
        assert ping(space, "10.244.1.2") == "10.244.1.2", "pods run on without the agent"
        status, output = cni(tmp_path, "ADD", two)
        assert (status, json.loads(output)["code"]) == (1, 11)
    with network(kubeconfig, tmp_path):
        eventually(lambda: cni(tmp_path, "ADD", two)[0] == 0, tmp_path)
        assert ping(two, "10.244.1.2") == "10.244.1.2"
        assert cni(tmp_path, "DEL", one) == (0, b"")
        with NetlinkNetwork(space) as node:
            eventually(lambda: sum(link.name.startswith("weft") for link in node.observe().links) == 1, tmp_path)


def test_an_ill_kubeconfig_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("clusters: 5\n")
    with network(tmp_path / "broken", tmp_path) as process:
        assert process.wait(10) == 2
    said = (tmp_path / "log").read_text().strip()
    assert said.startswith("weft network: ")
    assert len(said.splitlines()) == 1
