import random
from ipaddress import ip_network

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from weft.addresses.prefix import parse_address
from weft.apiserver.kinds.services.allocator import AddressAllocator, Full, PortAllocator, Taken


def addresses(prefix: str = "10.96.0.0/12") -> AddressAllocator:
    return AddressAllocator(ip_network(prefix), random.Random(1))


def test_dynamic_addresses_come_from_the_upper_band() -> None:
    allocator = addresses("10.96.0.0/24")
    seen = set()
    for _ in range(254 - 16):
        text = allocator.pick()
        seen.add(text)
        allocator.take(text)
    assert min(parse_address(text) for text in seen) == parse_address("10.96.0.17")
    assert int(parse_address(allocator.pick())) < int(parse_address("10.96.0.17"))


def test_network_and_broadcast_are_never_handed_out() -> None:
    allocator = addresses("10.96.0.0/29")
    found = set()
    for _ in range(6):
        text = allocator.pick()
        found.add(text)
        allocator.take(text)
    assert found == {f"10.96.0.{last}" for last in range(1, 7)}
    with pytest.raises(Full, match="range is full"):
        allocator.pick()
    for text in ("10.96.0.0", "10.96.0.7"):
        with pytest.raises(Taken, match="not in the valid range"):
            allocator.check(text)


def test_the_last_ipv6_address_is_one_like_any_other() -> None:
    allocator = AddressAllocator(ip_network("fd00::/126"), random.Random(1))
    allocator.check("fd00::3")
    with pytest.raises(Taken):
        allocator.check("fd00::")


def test_texts() -> None:
    allocator = addresses()
    allocator.take("10.96.0.1")
    with pytest.raises(Taken, match=r"^provided IP is already allocated$"):
        allocator.check("10.96.0.1")
    outside = r"^the provided IP \(10.0.0.1\) is not in the valid range. The range of valid IPs is 10.96.0.0/12$"
    with pytest.raises(Taken, match=outside):
        allocator.check("10.0.0.1")
    ports = PortAllocator(30000, 32767, random.Random(1))
    ports.take(30080)
    with pytest.raises(Taken, match=r"^provided port is already allocated$"):
        ports.check(30080)
    outside = "^provided port is not in the valid range. The range of valid ports is 30000-32767$"
    with pytest.raises(Taken, match=outside):
        ports.check(80)


def test_dynamic_ports_spare_the_lower_band() -> None:
    ports = PortAllocator(30000, 32767, random.Random(1))
    assert all(ports.pick() >= 30000 + 2768 // 32 for _ in range(1000))


def test_addresses_of_another_range_are_nobodys_business() -> None:
    allocator = addresses()
    allocator.take("192.168.0.1")
    allocator.free("192.168.0.1")
    assert len(allocator) == 0


class Ports(RuleBasedStateMachine):
    """Against a plain multiset: nothing twice, nothing lost, Full only when it is."""

    held = Bundle("held")

    @initialize(size=st.integers(1, 80), seed=st.integers(0, 9))
    def start(self, size: int, seed: int) -> None:
        self.last = 30000 + size - 1
        self.allocator = PortAllocator(30000, self.last, random.Random(seed))
        self.model: list[int] = []

    @rule(target=held)
    def pick(self) -> int:
        free = set(range(30000, self.last + 1)) - set(self.model)
        try:
            port = self.allocator.pick()
        except Full:
            assert not free
            return 0
        assert port in free
        self.allocator.take(port)
        self.model.append(port)
        return port

    @rule(target=held, offset=st.integers(0, 90))
    def ask(self, offset: int) -> int:
        port = 30000 + offset
        try:
            self.allocator.check(port)
        except Taken:
            assert port in self.model or port > self.last
            return 0
        assert port not in self.model
        self.allocator.take(port)
        self.model.append(port)
        return port

    @rule(port=consumes(held))
    def free(self, port: int) -> None:
        if port:
            self.allocator.free(port)
            self.model.remove(port)

    @rule(besides=st.sets(st.integers(30000, 30080), max_size=60))
    def pick_besides(self, besides: set[int]) -> None:
        free = set(range(30000, self.last + 1)) - set(self.model) - besides
        try:
            assert self.allocator.pick(besides) in free
        except Full:
            assert not free

    @invariant()
    def counted(self) -> None:
        if hasattr(self, "model"):
            assert len(self.allocator) == len(set(self.model))


TestPorts = Ports.TestCase
TestPorts.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
