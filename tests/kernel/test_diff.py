"""Applying a diff to any state makes it the desired one, and a second diff is empty."""

from ipaddress import ip_address, ip_interface, ip_network

from hypothesis import given
from hypothesis import strategies as st

from weft.kernel.fake.network import FakeWorld
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Item, Replace
from weft.kernel.state.diff import diff
from weft.kernel.state.link import Bridge, Link
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl

_vias = st.integers(2, 5).map(lambda n: ip_address(f"10.0.0.{n}"))
_routes = st.dictionaries(st.integers(0, 9), _vias).map(
    lambda found: tuple(Route(ip_network(f"10.{n + 10}.0.0/16"), via=via) for n, via in found.items())
)
_states = st.builds(
    lambda routes, more, mtu: NetworkState(
        links=(Link("br0", Bridge(), mtu=mtu),),
        addresses=(
            LinkAddress("br0", ip_interface("10.0.0.1/24")),
            *(LinkAddress("br0", ip_interface(f"10.1.{n}.1/24")) for n in sorted(more)),
        ),
        routes=routes,
        sysctls=(Sysctl("net/ipv4/ip_forward", "1"),),
    ),
    _routes,
    st.sets(st.integers(0, 3)),
    st.sampled_from([1400, 1500]),
)


def owned(item: Item) -> bool:
    return (isinstance(item, Route) and item.protocol == 87) or (isinstance(item, LinkAddress) and item.link == "br0")


@given(st.lists(_states, min_size=1, max_size=4))
def test_each_state_follows_from_the_last(states: list[NetworkState]) -> None:
    network = FakeWorld().network()
    others = Link("eth9", Bridge())
    foreign = Route(ip_network("10.200.0.0/16"), via=ip_address("172.16.0.1"), protocol=4, link="eth9")
    network.apply([Add(others), Add(LinkAddress("eth9", ip_interface("172.16.0.2/24"))), Replace(foreign)])
    for state in states:
        changes = diff(network.observe(sysctls=["net/ipv4/ip_forward"]), state, owned)
        assert network.apply(changes) == ()
        observed = network.observe(sysctls=["net/ipv4/ip_forward"])
        assert diff(observed, state, owned) == []
        assert set(observed.addresses) >= set(state.addresses)
        assert {route.destination for route in observed.routes if route.protocol == 87} == {
            route.destination for route in state.routes
        }
        assert foreign in observed.routes
        assert diff(state, state, owned) == []
