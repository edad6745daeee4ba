"""IPVS: what is encoded can be read again, and differences lead from any state to any other."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft.kernel.fake.ipvs import FakeIpvs
from weft.kernel.ipvs import Ipvs, IpvsError
from weft.kernel.real import netns
from weft.kernel.real.ipvs import RealIpvs, wire
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.change import Replace
from weft.kernel.state.ipvs import NewServer, NewTarget, Server, Target, Virtual, diff
from weft.kernel.state.link import Link

ports, weights = st.integers(1, 65535), st.integers(0, 65535)


@st.composite
def servers(draw: st.DrawFn, *, few: bool = True) -> tuple[Virtual, Server]:
    width = draw(st.sampled_from([4, 16]))
    number = st.integers(1, 3) if few else st.integers(0, 2 ** (8 * width) - 1)
    address = number.map(lambda one: one.to_bytes(width, "big"))
    at = Virtual(draw(address), draw(st.sampled_from([6, 17, 132])), draw(st.sampled_from([53, 80]) if few else ports))
    targets = st.dictionaries(st.builds(Target, address, ports if not few else st.just(80)), weights, max_size=4)
    return at, Server(draw(st.sampled_from(["rr", "wrr", "sh"])), draw(st.sampled_from([0, 60, 10800])), draw(targets))


states = st.lists(servers(), max_size=6).map(dict)


@given(servers(few=False))
def test_what_is_written_is_read_again(one: tuple[Virtual, Server]) -> None:
    at, server = one
    read = wire.read_service(wire.request(wire.NEW_SERVICE, wire.service(at, server)))
    assert read == (at, Server(server.scheduler, server.persistence))
    for target, weight in server.targets.items():
        body = wire.request(wire.NEW_DEST, wire.key(at), wire.destination(target, weight))
        assert wire.read_destination(body, len(at.address)) == (target, weight)


@given(st.binary(max_size=80))
def test_what_cannot_be_read_is_a_value_error(body: bytes) -> None:
    try:
        wire.read_service(body)
        wire.read_destination(body, 4)
    except ValueError:
        pass


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(states, states)
def test_differences_lead_from_any_state_to_any_other(
    before: dict[Virtual, Server], after: dict[Virtual, Server]
) -> None:
    fake = FakeIpvs()
    fake.apply(list(diff({}, before)))
    assert fake.observe() == before
    fake.apply(list(diff(before, after)))
    assert fake.observe() == after
    assert list(diff(after, after)) == []


def test_a_target_of_another_family_is_refused() -> None:
    at, server = Virtual(bytes(4), 6, 80), Server(targets={Target(bytes(16), 80): 1})
    with pytest.raises(ValueError, match="another family"):
        server.validate(at)


def _opened() -> Ipvs:
    """Where no link was ever up there is no table of local addresses, and the kernel takes no target."""
    with NetlinkNetwork() as network:
        assert network.apply([Replace(Link("lo"))]) == ()
    return RealIpvs()


@pytest.fixture
def real() -> Iterator[Ipvs]:
    try:
        door = netns.run_in_new(_opened)
    except IpvsError as error:
        assert str(error) == "this kernel has no IPVS: load module ip_vs, or use --proxy-mode nftables"
        pytest.skip(str(error))
    yield door
    door.close()


@pytest.mark.root
def test_the_kernel_takes_and_tells_the_same(real: Ipvs) -> None:
    vip, vip6 = Virtual(bytes((10, 96, 0, 10)), 6, 80), Virtual(bytes(15) + b"\x0a", 17, 53)
    ends = {Target(bytes((10, 244, 1, number)), 8080): 1 for number in range(1, 4)}
    first = {vip: Server("rr", 0, ends), vip6: Server("rr", 60, {Target(bytes(15) + b"\x01", 53): 1})}
    for before, after in (({}, first), (first, {vip: Server("rr", 600, dict(list(ends.items())[:1]))})):
        real.apply(list(diff(before, after)))
        assert real.observe() == after
    with pytest.raises(IpvsError, match="cannot make"):
        real.apply([NewTarget(vip6, Target(bytes(15) + b"\x01", 53), 1)])
    with pytest.raises(ValueError, match="scheduler"):
        real.apply([NewServer(vip6, Server("no such/one"))])
