"""A lab comes, goes and leaves nothing, whatever was killed before; what it has survives being switched off."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.lab import WEFT, Lab, call, until
from tests.e2e.manifests import HOSTS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


NAME = "t-own"


def _machine() -> dict[str, set[str]]:
    """What a lab of this name could leave behind on this machine; other labs may be there."""

    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())

    processes = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, cgroup = (path / "cmdline").read_text(), (path / "cgroup").read_text()
        except OSError:
            continue
        words = command + cgroup
        if command and f"weft/{NAME}" in words:  # without a command line it has ended, and waits for its reaper
            processes.add(f"{path.name} {words[:80]}")
    others = {
        f"weft{json.loads(path.read_text())['subnet']}"
        for path in Path("/var/lib/weft").glob("*/lab.json")
        if path.parent.name != NAME
    }
    directories = (Path("/var/lib/weft"), Path("/run/weft"), Path("/var/log/weft"))
    return {
        "namespaces": {path.name for path in Path("/run/netns").glob(f"weft-{NAME}-*")},
        "links": {line.split()[0].split("@")[0] for line in lines("ip", "-br", "link")} - others,
        "rules": lines("nft", "list", "ruleset"),
        "mounts": {line for line in Path("/proc/self/mounts").read_text().splitlines() if NAME in line},
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/weft/{NAME}")},
        "processes": processes,
        "files": {str(directory / NAME) for directory in directories if (directory / NAME).exists()},
    }


def _left(before: dict[str, set[str]]) -> dict[str, set[str]]:
    return {what: found - before[what] for what, found in _machine().items() if found - before[what]}


@pytest.fixture
def own() -> Iterator[Lab]:
    """A lab of the test's own, of one node."""
    made = Lab(NAME)
    made.down()
    yield made
    made.down()


def test_nothing_is_left_of_a_clean_run_and_a_second_up_says_so(own: Lab) -> None:
    before = _machine()
    own.up("--nodes", "1")
    again = own.weft("up")
    assert again.code == 0 and again.out.startswith("lab t-own is up: 1 nodes")
    refused = own.weft("up", "--nodes", "2")
    assert refused.code == 2 and "--nodes: lab t-own exists with 1" in refused.err
    own.down()
    assert _left(before) == {}


def test_nothing_is_left_after_everything_was_killed_at_once(own: Lab) -> None:
    before = _machine()
    own.up("--nodes", "1")
    pids = {component["pid"] for component in own.status()["components"]}
    own.kubectl("run", "one", "--image=registry.k8s.io/pause:3.10.2", "--image-pull-policy=IfNotPresent")
    own.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    own.down()
    assert _left(before) == {}


@pytest.mark.parametrize(
    ("component", "node"),
    [
        ("apiserver", ""), ("controllers", ""), ("scheduler", ""), ("gateway", ""), ("supervisor", ""),
        ("node", "node1"), ("containerd", "node1"), ("network", "node1"), ("proxy", "node1"), ("kubelet", "node1"),
    ],
)  # fmt: skip
@pytest.mark.chaos
def test_nothing_is_left_after_one_component_was_killed(own: Lab, component: str, node: str) -> None:
    before = _machine()
    own.up("--nodes", "1")
    os.kill(own.component(component, node)["pid"], signal.SIGKILL)
    own.down()
    assert _left(before) == {}


def test_an_up_killed_in_the_middle_is_completed_or_removed(own: Lab) -> None:
    before = _machine()
    for patience in (0.3, 0.6, 1.2):
        with subprocess.Popen(
            [WEFT, "up", "--name", own.name, "--nodes", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as starting:
            try:
                starting.wait(patience)
            except subprocess.TimeoutExpired:
                starting.kill()
    own.up()
    assert own.weft("status").code == 0
    own.down()
    assert _left(before) == {}


def test_state_survives_stop_and_up(own: Lab) -> None:
    own.up("--nodes", "1")
    own.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    own.kubectl("run", "one", "--image=registry.k8s.io/pause:3.10.2", "--image-pull-policy=IfNotPresent")
    own.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    uid = own.get("pod", "one")["metadata"]["uid"]
    assert own.weft("stop").code == 0
    assert own.weft("status").code == 3
    assert "lab t-own is stopped" in own.weft("exec", "node1", "--", "true").err
    own.up()
    assert own.get("configmap", "kept")["data"] == {"a": "b"}
    own.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    assert own.get("pod", "one")["metadata"]["uid"] == uid


def test_two_labs_side_by_side(lab: Lab, own: Lab) -> None:
    own.up("--nodes", "1", "--pod-cidr", "10.200.0.0/16", "--service-cidr", "10.201.0.0/16")
    assert own.get("nodes")["items"][0]["spec"]["podCIDR"] == "10.200.1.0/24"
    assert own.node_address("node1") != lab.node_address("node1")
    assert len(lab.get("nodes")["items"]) == 3


def test_dual_stack(own: Lab) -> None:
    own.up("--nodes", "2", "--dual-stack")
    assert [len(node["spec"]["podCIDRs"]) for node in own.get("nodes")["items"]] == [2, 2]
    own.kubectl("run", "one", "--image=registry.k8s.io/pause:3.10.2", "--image-pull-policy=IfNotPresent", "--port=80")
    own.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    addresses = [entry["ip"] for entry in own.get("pod", "one")["status"]["podIPs"]]
    assert addresses[0].startswith("10.244.") and addresses[1].startswith("fd00:10:244:")
    assert own.weft("images", "build", "busybox").code == 0
    own.apply(HOSTS)
    own.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/hosts", "--timeout=60s")
    both = [entry["ip"] for entry in own.get("pod", "hosts")["status"]["podIPs"]]
    assert f"{both[0]}\thosts\n{both[1]}\thosts\n" in own.kubectl("logs", "hosts")
    own.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: both}\n"
        "spec: {ipFamilyPolicy: RequireDualStack, selector: {run: one}, ports: [{port: 80}]}\n"
    )
    spec = own.get("service", "both")["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"] and len(spec["clusterIPs"]) == 2
    until(lambda: len(own.get("endpointslices", "-l", "kubernetes.io/service-name=both")["items"]) == 2, "two slices")


def test_looking_into_a_node(lab: Lab) -> None:
    routes = lab.weft("exec", "node1", "--", "ip", "route").out
    assert f"10.244.2.0/24 via {lab.node_address('node2')} dev eth0" in routes
    assert lab.weft("exec", "node2", "--", "hostname").out.strip() == "node2"
    assert "kubelet" not in lab.weft("exec", "control-plane", "--", "ip", "-br", "link").out
    assert lab.weft("exec", "node1", "--", "sh", "-c", "exit 3").code == 3
    assert "there is no node 'node9'" in lab.weft("exec", "node9", "--", "true").err
    status = lab.status()
    assert {component["health"] for component in status["components"]} == {"ok"}
    assert lab.weft("logs", "proxy", "--node", "node1", "--tail", "1").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--name", "t-bad", "--pod-cidr", "10.96.0.0/16"), "weft up: --pod-cidr: 10.96.0.0/16 overlaps"),
        (("up", "--name", "t-bad", "--nodes", "300"), "weft up: --nodes: 300 must be between 1 and 200"),
        (("up", "--name", "T!"), "weft up: --name: 'T!' must be"),
        (("status", "--name", "t-bad"), "weft status: there is no lab t-bad"),
        (("upp",), "weft: there is no command 'upp' (did you mean up?)"),
    ],
)
def test_bad_input_is_one_line_and_makes_nothing(arguments: tuple[str, ...], words: str) -> None:
    before = _machine()
    done = call(WEFT, *arguments)
    assert done.code != 0
    assert done.err.startswith(words) and done.err.count("\n") == 1
    assert _left(before) == {}
