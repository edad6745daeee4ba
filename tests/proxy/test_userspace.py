"""Who is let in, by the filter's own arithmetic, and which endpoint a caller gets."""

import struct
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.addresses import Prefix
from weft.kernel.fake.network import FakeWorld
from weft.proxy.endpoints import Endpoint, packed
from weft.proxy.link import NAME, ServiceLink
from weft.proxy.model import Entry, Frontend
from weft.proxy.userspace.choice import Memory, Place, allowed, endpoints
from weft.proxy.userspace.filter import MAX_PREFIXES, program

VIP = Frontend(packed("192.0.2.7"), "tcp", 80)
HERE, THERE = Endpoint(packed("10.244.1.5"), 8080, local=True), Endpoint(packed("10.244.2.5"), 8080)
PLACE = Place((ip_network("10.244.0.0/16"), ip_network("fd00:10:244::/56")), frozenset((packed("172.30.0.11"),)))


def passes(steps: bytes, header: bytes) -> bool:
    """Interprets the few instructions that a filter is made of. Source: networking/filter.rst."""
    code = list(struct.iter_unpack("=HBBI", steps))
    at, held = 0, 0
    while True:
        operation, yes, no, number = code[at]
        at += 1
        match operation:
            case 0x20:
                offset = number - 0xFFF00000
                held = int.from_bytes(header[offset : offset + 4], "big")
            case 0x54:
                held &= number
            case 0x15:
                at += yes if held == number else no
            case 0x06:
                return bool(number)


fours = st.builds(lambda a, n: IPv4Network((a, n), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32))
sixes = st.builds(lambda a, n: IPv6Network((a, n), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128))


@given(st.data(), st.lists(fours, max_size=5) | st.lists(sixes, min_size=1, max_size=5))
def test_a_filter_lets_through_what_is_in_its_ranges(data: st.DataObject, ranges: list[Prefix]) -> None:
    width, offset = (16, 8) if ranges and ranges[0].version == 6 else (4, 12)
    anywhere = st.binary(min_size=width, max_size=width)
    inside = [st.integers(int(one[0]), int(one[-1])).map(lambda n: n.to_bytes(width, "big")) for one in ranges]
    source = data.draw(st.one_of(anywhere, *inside))
    found = passes(program(ranges), bytes(offset) + source + bytes(16))
    assert found == any(ip_address(source) in one for one in ranges)


def test_a_filter_has_room_for_so_many_ranges() -> None:
    many = [ip_network((number << 16, 128)) for number in range(1, MAX_PREFIXES + 1)]
    assert len(program(many)) // 8 <= 4096
    with pytest.raises(ValueError, match="source ranges"):
        program([*many, ip_network("fd00::/8")])


def test_a_local_policy_binds_callers_from_outside_only() -> None:
    entry = Entry("a/b", "LoadBalancer", cluster=(HERE, THERE), local=(HERE,))
    assert endpoints(VIP, entry, packed("198.51.100.1"), PLACE) == (HERE,)
    for caller in ("10.244.7.7", "172.30.0.11", "192.0.2.7"):
        assert endpoints(VIP, entry, packed(caller), PLACE) == (HERE, THERE)
    inward = Entry("a/b", "ClusterIP", cluster=(), local=(HERE,))
    assert endpoints(VIP, inward, packed("10.244.7.7"), PLACE) == (HERE,)


def test_who_has_no_endpoint_gets_no_answer() -> None:
    entry = Entry("a/b", "LoadBalancer", cluster=(THERE,), local=(), absent="drop")
    wanted = ["10.244.0.0/16", "172.30.0.11/32", "192.0.2.7/32"]
    assert [str(one) for one in allowed(VIP, entry, PLACE) or ()] == wanted
    assert allowed(VIP, Entry("a/b", "ClusterIP", local=(), absent="drop"), PLACE) == []
    assert allowed(VIP, Entry("a/b", "ClusterIP", cluster=(THERE,)), PLACE) is None


def test_a_client_keeps_its_endpoint_for_a_time() -> None:
    memory, last, first = Memory(), (lambda n: n - 1), (lambda _n: 0)
    ends, caller = (HERE, THERE), packed("10.244.1.9")
    assert memory.pick(ends, caller, 10, 0.0, last) == THERE
    assert memory.pick(ends, caller, 10, 9.0, first) == THERE
    assert memory.pick(ends, caller, 10, 18.0, first) == THERE
    assert memory.pick(ends, caller, 10, 29.0, first) == HERE
    assert memory.pick((THERE,), caller, 10, 30.0, first) == THERE


def test_the_link_holds_addresses_across_restarts_and_leaves_the_nodes_own() -> None:
    network = FakeWorld().network()
    link = ServiceLink(network)
    link.begin()
    link.hold([packed("10.96.0.1"), packed("fd00:10:96::1")])
    again = ServiceLink(network)
    again.begin()
    assert again.held == {packed("10.96.0.1"), packed("fd00:10:96::1")}
    again.hold([packed("10.96.0.2")])
    assert [str(one.interface) for one in network.observe().addresses if one.link == NAME] == ["10.96.0.2/32"]
    again.remove()
    assert not again.present()
