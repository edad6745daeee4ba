from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scheduler.build import GI, node, pod, state, wanting

from weft.scheduler.decide import Unschedulable, decide
from weft.scheduler.demand import demand_of
from weft.scheduler.objects import Pod


def first(names: Any) -> str:
    return str(sorted(names)[0])


def why(wanted: Any, *nodes: Any) -> str:
    answer = decide(wanted, state(*nodes).ready_nodes(), None, first)
    assert isinstance(answer, Unschedulable)
    return answer.message


def test_the_sentence_is_upstreams() -> None:
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    nodes = [node("n1", memory="1Gi"), node("n2", taints=[taint]), node("n3", unschedulable=True)]
    assert why(wanting("p", requests={"memory": "2Gi"}), *nodes) == (
        "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), "
        "1 node(s) were unschedulable. preemption: 0/3 nodes are available: "
        "3 Preemption is not helpful for scheduling."
    )
    assert why(wanting("p")) == "no nodes available to schedule pods"


def test_full_nodes_could_be_emptied() -> None:
    full = state(node("n1", cpu="1", pods="1"))
    full.assume(pod("other", requests={"cpu": "600m"}), "n1")
    answer = decide(wanting("p", requests={"cpu": "500m"}), full.ready_nodes(), None, first)
    assert isinstance(answer, Unschedulable)
    assert answer.room_helps
    assert answer.message == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod."
    )


def test_a_pod_that_names_its_node_goes_there_or_nowhere() -> None:
    fields = [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": fields}]}
        }
    }
    nodes = state(node("n1"), node("n2")).ready_nodes()
    assert decide(wanting("p", affinity=affinity), nodes, None, first) == "n2"
    assert why(wanting("p", affinity=affinity), node("n1"), node("n2", pods="0")).startswith(
        "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
        ({}, {"hostPort": 80}, True),
    ],
)
def test_host_ports(mine: dict[str, Any], theirs: dict[str, Any], fits: bool) -> None:
    taken = state(node("n1"))
    taken.assume(pod("other", ports=[theirs]), "n1")
    answer = decide(wanting("p", ports=[mine]), taken.ready_nodes(), None, first)
    assert (answer == "n1") is fits


def test_selector_and_tolerations() -> None:
    nodes = [node("n1", labels={"disk": "ssd"}), node("n2", taints=[{"key": "a", "effect": "NoSchedule"}])]
    assert decide(wanting("p", nodeSelector={"disk": "ssd"}), state(*nodes).ready_nodes(), None, first) == "n1"
    tolerant = wanting("p", tolerations=[{"operator": "Exists"}], nodeName="")
    assert decide(tolerant, state(nodes[1]).ready_nodes(), None, first) == "n2"
    assert "didn't match Pod's node affinity/selector" in why(wanting("p", nodeSelector={"x": "y"}), *nodes)


def test_three_pods_of_one_owner_land_on_three_nodes() -> None:
    nodes = state(*(node(f"n{i}") for i in range(3)))
    for number in range(6):
        made = pod(f"web-{number}", owner="web", labels={"app": "web"})
        chosen = decide(wanting(f"web-{number}", owner="web"), nodes.ready_nodes(), None, first)
        assert isinstance(chosen, str)
        nodes.assume(made, chosen)
    assert sorted(len(info.pods) for info in nodes.nodes.values()) == [2, 2, 2]


def test_bare_pods_of_a_service_spread_too() -> None:
    nodes = state(*(node(f"n{i}", memory=f"{8 + i}Gi") for i in range(3)))
    for number in range(3):
        wanted = wanting(f"web-{number}", labels={"app": "web"})
        chosen = decide(wanted, nodes.ready_nodes(), {"app": "web"}, first)
        assert isinstance(chosen, str)
        nodes.assume(wanted.pod, chosen)
    assert {len(info.pods) for info in nodes.nodes.values()} == {1}


def test_soft_taints_and_preferences() -> None:
    soft = {"key": "a", "effect": "PreferNoSchedule"}
    nodes = state(node("a", taints=[soft]), node("b")).ready_nodes()
    assert decide(wanting("p"), nodes, None, first) == "b"
    term = {"weight": 1, "preference": {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}
    nodes = state(node("a"), node("b", labels={"gpu": "1"})).ready_nodes()
    assert decide(wanting("p", affinity=affinity), nodes, None, first) == "b"


def test_demand_counts_init_containers_sidecars_and_overhead() -> None:
    made = msgspec.convert(
        {
            "metadata": {"name": "p"},
            "spec": {
                "containers": [{"resources": {"requests": {"cpu": "200m"}}}, {"resources": {}}],
                "initContainers": [
                    {"resources": {"requests": {"cpu": "100m"}}, "restartPolicy": "Always"},
                    {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
                ],
                "overhead": {"memory": "16Mi"},
            },
        },
        Pod,
    )
    demand = demand_of(made)
    assert demand.requests == {"cpu": 600, "memory": GI + 16 * 2**20}
    assert demand.cpu == 600


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["put", "assume", "remove"]), st.integers(0, 2))))
def test_what_nodes_hold_is_the_sum_of_their_pods(history: list[tuple[int, str, int]]) -> None:
    kept = state(*(node(f"n{i}") for i in range(3)))
    for number, action, target in history:
        made = pod(f"p{number}", owner=f"o{number % 2}", requests={"cpu": f"{number}m"}, ports=[{"hostPort": 80}])
        if action == "remove":
            kept.remove(made.metadata.uid)
        elif action == "assume":
            kept.assume(made, f"n{target}")
        else:
            kept.put(msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, node_name=f"n{target}")))
    for info in kept.nodes.values():
        assert info.used.get("cpu", 0) == sum(each.demand.requests["cpu"] for each in info.pods.values())
        assert sum(info.of_controller.values()) == len(info.pods) == sum(info.ports.values())
