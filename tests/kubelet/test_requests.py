"""What the runtime is asked for; verdicts of probes; what the node says of itself."""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.cluster.objects.container import Container, HTTPGetAction, Probe
from weft.kubelet import config as flags
from weft.kubelet.cgroups.tree import CgroupTree
from weft.kubelet.cri.events import container_of, fields
from weft.kubelet.cri.model import ImageFacts, RuntimeCondition, RuntimeStatus
from weft.kubelet.env.environment import ConfigError
from weft.kubelet.files.resolv import Resolver
from weft.kubelet.node import status as node_plan
from weft.kubelet.node.facts import MachineFacts
from weft.kubelet.plan import plan
from weft.kubelet.pods.container import container_config
from weft.kubelet.pods.images import pull_policy, registry, with_tag
from weft.kubelet.pods.resources import cgroup_parent, container_resources, oom_score_adj, pod_resources, qos_class
from weft.kubelet.pods.sandbox import sandbox_config
from weft.kubelet.probes.outcome import Outcome
from weft.kubelet.probes.target import http_target, port_number
from weft.kubelet.probes.verdict import Verdict, judge
from weft.kubelet.server.access import Client, attributes, client_of

from .values import make_pod

GI = 1 << 30
BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "qos", "oom"),
    [
        ({}, "BestEffort", 1000),
        ({"limits": BOTH}, "Guaranteed", -997),
        ({"limits": BOTH, "requests": BOTH}, "Guaranteed", -997),
        ({"requests": {"memory": "1Gi"}}, "Burstable", 750),
        ({"limits": BOTH, "requests": {"cpu": "500m"}}, "Burstable", 750),
        ({"requests": {"cpu": "1"}}, "Burstable", 999),
    ],
)
def test_quality_of_service(resources: dict[str, Any], qos: str, oom: int) -> None:
    pod = make_pod({"name": "main", "resources": resources})
    assert qos_class(pod) == qos and oom_score_adj(pod, pod.spec.containers[0], 4 * GI) == oom
    kind = {"Guaranteed": "", "Burstable": "/burstable", "BestEffort": "/besteffort"}[qos]
    assert cgroup_parent("/n1", pod) == f"/n1/kubepods{kind}/poduid-1"


def test_limits_of_containers_and_pods() -> None:
    pod = make_pod(
        {"name": "a", "resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}},
        {"name": "b", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "10m"}}},
    )
    found = container_resources(pod, pod.spec.containers[0], 4 * GI)
    assert found["cpu_shares"] == 256 and found["cpu_quota"] == 25_000 and found["memory_limit_in_bytes"] == 64 << 20
    assert pod_resources(pod) == {"shares": 266, "quota": 125_000, "memory": GI + (64 << 20)}
    assert pod_resources(make_pod()) == {"shares": 2}


def build(**container: Any) -> dict[str, Any]:
    pod = make_pod({"name": "main", "image": "a", **container}, **container.pop("pod", {}))
    image = ImageFacts("sha256:1", "a", uid=5)
    return container_config(
        pod, pod.spec.containers[0], 2, image=image, environment={"A": "1"}, mounts=(), memory_capacity=GI
    )


def test_container_configuration() -> None:
    made = build(command=["x", "$(A)"], args=["$(B)"], tty=True)
    assert made["command"] == ["x", "1"] and made["args"] == ["$(B)"] and made["tty"]
    assert made["log_path"] == "main/2.log" and made["metadata"] == {"name": "main", "attempt": 2}
    security = made["linux"]["security_context"]
    assert security["run_as_user"] == {"value": 5} and security["seccomp"] == {"profile_type": "Unconfined"}
    assert "/proc/kcore" in security["masked_paths"]
    privileged = build(securityContext={"privileged": True, "runAsUser": 0})["linux"]["security_context"]
    assert privileged["privileged"] and "masked_paths" not in privileged and privileged["run_as_user"] == {"value": 0}
    with pytest.raises(ConfigError, match="container's runAsUser breaks non-root policy"):
        build(securityContext={"runAsNonRoot": True, "runAsUser": 0})


def test_sandbox_configuration() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81}]
    pod = make_pod({"name": "main", "ports": ports}, securityContext={"sysctls": [{"name": "net/a", "value": "1"}]})
    made = sandbox_config(pod, 1, hostname="web", resolver=Resolver(("1.1.1.1",)), log_root="/logs", cgroup_root="/n1")
    assert made["log_directory"] == "/logs/default_web_uid-1" and made["hostname"] == "web"
    assert made["port_mappings"] == [{"protocol": "TCP", "container_port": 80, "host_port": 8080, "host_ip": ""}]
    assert made["linux"]["sysctls"] == {"net.a": "1"}
    assert made["linux"]["security_context"]["namespace_options"] == {
        "network": "POD",
        "ipc": "POD",
        "pid": "CONTAINER",
    }
    host = make_pod({"name": "main", "ports": ports}, hostNetwork=True, hostPID=True)
    made = sandbox_config(host, 0, hostname="web", resolver=Resolver(), log_root="/logs", cgroup_root="/")
    assert made["port_mappings"] == [] and "hostname" not in made
    assert made["linux"]["security_context"]["namespace_options"]["pid"] == "NODE"


def test_messages_fit_the_protocol() -> None:
    from cri_api.v1 import api_pb2

    pod = make_pod()
    sandbox = sandbox_config(pod, 0, hostname="web", resolver=Resolver(), log_root="/l", cgroup_root="/")
    api_pb2.RunPodSandboxRequest(config=sandbox)
    api_pb2.CreateContainerRequest(pod_sandbox_id="s", config=build(), sandbox_config=sandbox)


@pytest.mark.parametrize(
    ("image", "full", "policy", "host"),
    [
        ("nginx", "nginx:latest", "Always", "docker.io"),
        ("nginx:1.2", "nginx:1.2", "IfNotPresent", "docker.io"),
        ("r.example:5000/a/b", "r.example:5000/a/b:latest", "Always", "r.example:5000"),
        ("a/b:latest", "a/b:latest", "Always", "docker.io"),
    ],
)
def test_images(image: str, full: str, policy: str, host: str) -> None:
    assert with_tag(image) == full and registry(image) == host
    assert pull_policy(msgspec.convert({"name": "c", "image": image}, Container)) == policy
    with pytest.raises(ValueError, match="invalid reference format"):
        with_tag("Not An Image")


GOOD, BAD, REFUSED = Outcome("success"), Outcome("failure"), Outcome("failure", refused=True)


def verdicts(probe: Probe, outcomes: list[Outcome]) -> list[bool | None]:
    verdict, found = Verdict(), []
    for outcome in outcomes:
        verdict, _, _ = judge(probe, verdict, outcome, 100.0)
        found.append(verdict.healthy)
    return found


def test_thresholds() -> None:
    probe = Probe(failure_threshold=2, success_threshold=2)
    assert verdicts(probe, [GOOD, GOOD, BAD, GOOD, BAD, BAD]) == [None, True, True, True, True, False]
    assert verdicts(probe, [BAD, GOOD, BAD, BAD]) == [None, None, None, False]


def test_a_program_that_still_begins_is_asked_again_soon() -> None:
    verdict, pause, counts = judge(Probe(), Verdict(), REFUSED, 0.0)
    assert verdict.healthy is None and pause == 0.05 and not counts
    verdict, pause, counts = judge(Probe(), verdict, REFUSED, 0.05)
    assert pause == 0.1 and not counts
    _, pause, counts = judge(Probe(), verdict, REFUSED, 10.0)
    assert pause == 10.0 and counts
    _, pause, counts = judge(Probe(), Verdict(True, 3), REFUSED, 1.0)
    assert pause == 10.0 and counts


@given(st.lists(st.sampled_from([GOOD, BAD, REFUSED]), max_size=20), st.integers(1, 3), st.integers(1, 3))
def test_a_verdict_needs_a_row(outcomes: list[Outcome], successes: int, failures: int) -> None:
    found = verdicts(Probe(success_threshold=successes, failure_threshold=failures), outcomes)
    for index, healthy in enumerate(found):
        row = successes if healthy else failures
        if healthy is not None and (index == 0 or found[index - 1] != healthy):
            assert all((o is GOOD) == healthy for o in outcomes[index + 1 - row : index + 1])


def test_targets() -> None:
    container = msgspec.convert({"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}, Container)
    target = http_target(HTTPGetAction("web", "x?y=1"), container, "fd00::2")
    assert target.url == "http://[fd00::2]:8080/x?y=1"
    assert dict(target.headers) == {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    assert port_number("99", container) == 99
    with pytest.raises(ValueError, match="couldn't find port: none"):
        port_number("none", container)


FACTS = MachineFacts(2, 8 * GI, 100 * GI, "amd64", "6.1", "Debian", "m", "b")


def arguments(*words: str) -> flags.Config:
    parser = argparse.ArgumentParser()
    flags.add_arguments(parser)
    return flags.from_arguments(parser.parse_args(words), "host")


def test_flags_and_capacity() -> None:
    config = arguments(
        "--node-name=N1", "--node-ip=10.0.0.1,fd00::1", "--capacity=cpu=4,memory=4Gi",
        "--system-reserved=cpu=500m,memory=1Gi", "--node-labels=a=b",
    )  # fmt: skip
    found = node_plan.resources(config, FACTS)
    assert found.capacity["cpu"] == "4" and found.allocatable["cpu"] == "3500m"
    assert found.allocatable["memory"] == f"{3 << 20}Ki" and found.capacity["pods"] == "110"
    labels = node_plan.node_object(config, FACTS)["metadata"]["labels"]
    assert labels["kubernetes.io/hostname"] == "n1" and labels["a"] == "b" and labels["kubernetes.io/arch"] == "amd64"
    assert [a["address"] for a in node_plan.addresses(config)] == ["10.0.0.1", "fd00::1", "n1"]


def test_a_dry_run_says_what_would_be_done() -> None:
    pod = make_pod({"name": "main", "image": "nginx"}, initContainers=[{"name": "first", "image": "a:1"}])
    lines = list(plan(arguments("--node-name=n1", "--cgroup-root=/n1"), FACTS, [pod]))
    assert lines[0].startswith("node n1 ") and lines[1:] == [
        "pod default/web: make sandbox qos=BestEffort cgroup=/n1/kubepods/besteffort/poduid-1",
        "  start container first image=a:1 pull=IfNotPresent",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--node-ip=10.0.0.1,10.0.0.2",), "--node-ip"),
        (("--node-labels=x",), "--node-labels: 'x' must be NAME=VALUE"),
        (("--container-runtime-endpoint=/x",), "must be unix://"),
        (("--tls-cert-file=a",), "--tls-private-key-file"),
    ],
)
def test_bad_flags(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        arguments(*words)


def test_a_node_without_a_network_says_so() -> None:
    network = RuntimeCondition(False, "NetworkPluginNotReady", "cni plugin not initialized")
    ready = node_plan.conditions(RuntimeStatus(RuntimeCondition(True), network))[-1]
    assert ready["reason"] == "KubeletNotReady" and ready["message"] == (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:cni plugin not initialized"
    )
    assert node_plan.conditions(None, "gone")[-1]["message"] == "container runtime is down: gone"
    dated = node_plan.dated([ready], [{"type": "Ready", "status": "False", "lastTransitionTime": "T0"}], "T1")
    assert dated[0]["lastTransitionTime"] == "T0" and dated[0]["lastHeartbeatTime"] == "T1"


def test_clients() -> None:
    subject = ((("organizationName", "system:masters"),), (("commonName", "admin"),))
    assert client_of({"subject": subject}) == Client("admin", ("system:masters",))
    assert client_of(None) is None and client_of({}) is None
    assert attributes("/exec/a/b/c", "POST") == ("create", "proxy")
    assert attributes("/metrics/resource", "GET") == ("get", "metrics")
    assert attributes("/stats/summary", "GET") == ("get", "stats")


def test_containerd_events() -> None:
    def part(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    event = part(1, b"type") + part(2, part(1, b"abc") + b"\x10\x05")
    assert container_of(part(2, b"k8s.io") + part(3, b"/tasks/delete") + part(4, event)) == "abc"
    assert container_of(part(3, b"/tasks/exit") + part(4, event)) == ""
    assert list(fields(b"\x08\x96\x01\x19" + bytes(8))) == [(1, 150), (3, bytes(8))]
    for broken in (b"\x08", b"\x0a\x05ab", b"\x0b"):
        with pytest.raises(ValueError, match=r"truncated|wire type"):
            list(fields(broken))


@pytest.mark.parametrize("unified", [True, False])
def test_control_groups(tmp_path: Path, unified: bool) -> None:
    if unified:
        (tmp_path / "cgroup.controllers").touch()
    else:
        for name in ("cpu", "memory", "cpuset"):
            (tmp_path / name).mkdir()
    tree = CgroupTree(tmp_path)
    assert tree.unified == unified
    tree.ensure("/kubepods/burstable/pod1", {"shares": 256, "memory": 4096, "quota": 20_000})
    if unified:
        group = tmp_path / "kubepods/burstable/pod1"
        assert (group / "cpu.weight").read_text() == "10" and (group / "cpu.max").read_text() == "20000 100000"
        assert (group / "memory.max").read_text() == "4096"
    else:
        assert (tmp_path / "cpu/kubepods/burstable/pod1/cpu.shares").read_text() == "256"
        assert (tmp_path / "memory/kubepods/burstable/pod1/memory.limit_in_bytes").read_text() == "4096"
        assert list(tree.pods("/kubepods")) == ["/kubepods/burstable/pod1"]
