"""Every refusal names its flag and the mend; every accepted lab has disjoint ranges with room for its nodes."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.addresses import nth_subnet, parse_prefix
from weft.lab import config
from weft.lab.config import NODE_MASK, free_subnet, make, underlay_v4


def test_defaults() -> None:
    lab = make()
    assert (lab.name, lab.nodes, lab.pod_ranges, lab.service_ranges) == (
        "weft",
        3,
        ("10.244.0.0/16",),
        ("10.96.0.0/12",),
    )
    assert [str(address) for address in lab.node_addresses("node2")] == ["172.30.0.12"]
    assert str(lab.service_address(10)[0]) == "10.96.0.10"
    assert lab.api_server == "https://172.30.0.2:6443"


def test_dual_stack_takes_the_first_range_as_primary() -> None:
    lab = make(pod_cidr="fd00:1::/56,10.1.0.0/16", service_cidr="fd00:2::/112,10.2.0.0/16")
    assert [a.version for a in lab.node_addresses("node1")] == [6, 4]
    assert lab.api_server == "https://[fd00:172:30::2]:6443"
    assert make(dual_stack=True).pod_ranges == ("10.244.0.0/16", "fd00:10:244::/56")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "Weft"}, "--name: 'Weft' must be"),
        ({"name": "a" * 30}, "--name"),
        ({"name": "-a"}, "--name"),
        ({"name": "../x"}, "--name"),
        ({"nodes": 0}, "--nodes: 0 must be between 1 and 200"),
        ({"nodes": 201}, "--nodes: 201"),
        ({"pod_cidr": "10.1.0.0"}, "--pod-cidr: 10.1.0.0/32 is too small for 3 nodes"),
        ({"pod_cidr": "pods"}, "--pod-cidr: 'pods' is not a CIDR range"),
        ({"pod_cidr": "10.1.2.3/16"}, "did you mean 10.1.0.0/16?"),
        ({"pod_cidr": "10.1.0.0/16,10.2.0.0/16"}, "one IPv4 and one IPv6"),
        ({"pod_cidr": "10.244.0.0/23"}, "is too small for 3 nodes of /24 each (give at least a /22)"),
        ({"service_cidr": "10.96.0.0/29"}, "--service-cidr: 10.96.0.0/29 must be between a /12 and a /28"),
        ({"service_cidr": "10.0.0.0/8"}, "--service-cidr"),
        ({"pod_cidr": "10.96.0.0/16"}, "--pod-cidr: 10.96.0.0/16 overlaps --service-cidr 10.96.0.0/12"),
        ({"pod_cidr": "172.30.0.0/16"}, "overlaps the node network"),
        ({"pod_cidr": "fd00:1::/56", "service_cidr": "10.96.0.0/16"}, "--service-cidr: families IPv4 differ"),
    ],
)  # fmt: skip
def test_refusals_name_flag_and_remedy(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        make(**arguments)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    nodes=st.integers(1, 60),
    pods=st.integers(8, 24).map(lambda bits: f"10.{(1 << (24 - bits)) % 256 if bits > 16 else 0}.0.0/{bits}"),
    services=st.integers(12, 28).map(lambda bits: f"192.168.0.0/{bits}" if bits >= 16 else f"172.16.0.0/{bits}"),
)
def test_accepted_labs_hold_their_nodes(nodes: int, pods: str, services: str) -> None:
    try:
        lab = make(nodes=nodes, pod_cidr=pods, service_cidr=services)
    except ValueError as error:
        assert str(error).startswith("--")
        return
    (pod_range,) = map(parse_prefix, lab.pod_ranges)
    subnets = [nth_subnet(pod_range, NODE_MASK[4], number) for number in range(1, nodes + 1)]
    assert all(subnet.subnet_of(pod_range) for subnet in subnets)  # type: ignore[arg-type]
    (service_range,) = map(parse_prefix, lab.service_ranges)
    everything = [*subnets, service_range, *lab.underlay]
    assert not any(one.overlaps(other) for one, other in combinations(everything, 2))  # type: ignore[arg-type]
    assert len({lab.node_addresses(node) for node in lab.node_names()}) == nodes


@given(st.sets(st.integers(0, 255), max_size=255))
def test_free_subnet_is_free(taken: set[int]) -> None:
    found = free_subnet([underlay_v4(number) for number in taken] + [parse_prefix("0.0.0.0/0")])
    assert found not in taken and 0 <= found < 256


def test_no_free_subnet_is_said() -> None:
    with pytest.raises(ValueError, match=r"172\.30\.0\.0/16 is routed elsewhere"):
        free_subnet([parse_prefix("172.30.0.0/16")])


def test_names_are_checked_before_paths_are_made() -> None:
    for name in ("", ".", "..", "a/b", "a b", "ä"):
        with pytest.raises(ValueError):
            config.check_name(name)
