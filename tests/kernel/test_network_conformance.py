"""What `kernel.port.Network` promises, asked of the kernel and of the fake alike."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from tests.spaces import MakeSpace

from weft.kernel.fake.network import FakeWorld
from weft.kernel.port import Network
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Regroup, Remove, RemoveGroup, Replace
from weft.kernel.state.link import Bridge, Link, Port, Veth
from weft.kernel.state.neighbour import Neighbour
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl


@dataclass
class Two:
    node: Network
    pod: Network
    pod_netns: str


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.root)])
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    if request.param == "fake":
        world = FakeWorld("node", "pod")
        yield Two(world.network("node"), world.network("pod"), "pod")
        return
    make: MakeSpace = request.getfixturevalue("make_space")
    node, pod = make("node"), make("pod")
    with NetlinkNetwork(node) as one, NetlinkNetwork(pod) as other:
        yield Two(one, other, pod)


def done(network: Network, *changes: Change) -> None:
    assert [str(failure) for failure in network.apply(changes)] == []


def codes(network: Network, *changes: Change) -> list[int | None]:
    return [failure.errno for failure in network.apply(changes)]


def attach(two: Two) -> None:
    pair = Veth(Link("eth0", mac="0a:58:0a:00:00:02", mtu=1400), two.pod_netns)
    done(
        two.node,
        Add(Link("br0", Bridge(), mac="0a:58:0a:00:00:01")),
        Add(LinkAddress("br0", ip_interface("10.0.0.1/24"))),
        Add(LinkAddress("br0", ip_interface("fd00::1/64"))),
        Add(Link("v0", pair, mtu=1400, master="br0", port=Port(hairpin=True), alias="10.0.0.2 default/web")),
    )


def own_addresses(state: NetworkState) -> set[LinkAddress]:
    return {address for address in state.addresses if not address.interface.is_link_local}


def test_a_new_namespace_has_only_lo_and_it_is_down(two: Two) -> None:
    state = two.node.observe()
    assert [(link.name, link.up) for link in state.links] == [("lo", False)]
    assert state.addresses == state.routes == state.neighbours == ()


def test_a_pair_is_born_with_both_ends_where_they_belong(two: Two) -> None:
    attach(two)
    end = two.node.observe().link("v0")
    assert end is not None
    assert (end.up, end.mtu, end.master, end.port) == (True, 1400, "br0", Port(hairpin=True))
    assert (end.kind, end.alias) == (Veth(), "10.0.0.2 default/web")
    peer = two.pod.link("eth0")
    assert peer is not None
    assert (peer.up, peer.mtu, peer.mac) == (False, 1400, "0a:58:0a:00:00:02")


def test_addresses_bring_their_connected_routes(two: Two) -> None:
    attach(two)
    state = two.node.observe()
    assert own_addresses(state) == {
        LinkAddress("br0", ip_interface("10.0.0.1/24")),
        LinkAddress("br0", ip_interface("fd00::1/64")),
    }
    made = {(str(route.destination), route.link, route.protocol) for route in state.routes}
    assert {("10.0.0.0/24", "br0", 2), ("fd00::/64", "br0", 2)} <= made


def test_routes_are_replaced_listed_by_protocol_and_removed(two: Two) -> None:
    attach(two)
    four, six = ip_network("10.9.0.0/16"), ip_network("fd09::/16")
    done(two.node, Add(Route(four, via=ip_address("10.0.0.2"))), Add(Route(six, via=ip_address("fd00::2"))))
    done(two.node, Replace(Route(four, via=ip_address("10.0.0.3"))))
    own = two.node.observe(route_protocol=87).routes
    assert set(own) == {
        Route(four, via=ip_address("10.0.0.3"), link="br0"),
        Route(six, via=ip_address("fd00::2"), link="br0"),
    }
    done(two.node, *(Remove(route) for route in own))
    assert two.node.observe(route_protocol=87).routes == ()


def test_a_thousand_routes_in_one_call(two: Two) -> None:
    attach(two)
    routes = [
        Route(ip_network((0x0B000000 + (n << 8), 24)), via=ip_address("10.0.0.2"), link="br0") for n in range(1000)
    ]
    done(two.node, *(Replace(route) for route in routes))
    assert set(two.node.observe(route_protocol=87).routes) == set(routes)


def test_failures_name_their_change_and_stop_nothing(two: Two) -> None:
    attach(two)
    failures = two.node.apply(
        [
            Replace(Route(ip_network("10.8.0.0/16"), via=ip_address("192.0.2.1"))),
            Add(Link("br0", Bridge())),
            Add(LinkAddress("nowhere", ip_interface("10.0.0.9/24"))),
            Remove(Link("nowhere")),
            Remove(Route(ip_network("10.7.0.0/16"), via=ip_address("10.0.0.2"))),
            Add(LinkAddress("br0", ip_interface("10.0.0.1/24"))),
            Replace(Sysctl("net/ipv4/no_such_thing", "1")),
            Replace(Route(ip_network("10.6.0.0/16"), via=ip_address("10.0.0.2"))),
        ]
    )
    assert sorted((failure.errno or 0, str(failure.what)) for failure in failures) == sorted(
        [
            (errno.ENETUNREACH, "set route 10.8.0.0/16 via 192.0.2.1"),
            (errno.EEXIST, "add link br0"),
            (errno.ENODEV, "add address 10.0.0.9/24 on nowhere"),
            (errno.ENODEV, "remove link nowhere"),
            (errno.ESRCH, "remove route 10.7.0.0/16 via 10.0.0.2"),
            (errno.EEXIST, "add address 10.0.0.1/24 on br0"),
            (errno.ENOENT, "set sysctl net/ipv4/no_such_thing"),
        ]
    )
    assert [str(route.destination) for route in two.node.observe(route_protocol=87).routes] == ["10.6.0.0/16"]


def test_a_change_that_is_not_valid_stops_all_of_them(two: Two) -> None:
    with pytest.raises(ValueError, match="link name"):
        two.node.apply([Add(Link("br0", Bridge())), Add(Link("a/b", Bridge()))])
    assert two.node.link("br0") is None


def test_a_taken_name_in_the_pods_namespace_makes_nothing(two: Two) -> None:
    attach(two)
    assert codes(two.node, Add(Link("v1", Veth(Link("eth0"), two.pod_netns), master="br0"))) == [errno.EEXIST]
    assert two.node.link("v1") is None


def test_removing_one_end_removes_the_other_and_all_that_is_on_it(two: Two) -> None:
    attach(two)
    done(two.pod, Replace(Link("eth0")), Add(LinkAddress("eth0", ip_interface("10.0.0.2/24"))))
    done(two.pod, Replace(Route(ip_network("0.0.0.0/0"), via=ip_address("10.0.0.1"))))
    done(two.node, Remove(Link("v0")))
    state = two.pod.observe()
    assert (state.link("eth0"), state.routes, own_addresses(state)) == (None, (), set())


def test_links_leave_by_group(two: Two) -> None:
    attach(two)
    assert codes(two.node, RemoveGroup(77)) == [errno.ENODEV]
    done(two.node, Regroup("v0", 77))
    end = two.node.observe().link("v0")
    assert end is not None
    assert (end.group, end.up, end.master, end.alias) == (77, True, "br0", "10.0.0.2 default/web")
    done(two.node, RemoveGroup(77))
    assert (two.node.link("v0"), two.pod.link("eth0")) == (None, None)
    assert two.node.link("br0") is not None


def test_links_are_changed_in_place(two: Two) -> None:
    attach(two)
    done(two.node, Replace(Link("v0", Veth(), mtu=1300, mac="0a:58:00:00:00:09", up=False)))
    end = two.node.observe().link("v0")
    assert end is not None
    assert (end.up, end.mtu, end.mac, end.master, end.port) == (False, 1300, "0a:58:00:00:00:09", "", None)
    assert codes(two.node, Replace(Link("nowhere"))) == [errno.ENODEV]


def test_permanent_neighbours(two: Two) -> None:
    attach(two)
    one = Neighbour("br0", ip_address("10.0.0.2"), "0a:58:0a:00:00:02")
    other = Neighbour("br0", ip_address("10.0.0.2"), "0a:58:0a:00:00:03")
    done(two.node, Replace(one), Replace(other))
    assert two.node.observe().neighbours == (other,)
    done(two.node, Remove(other))
    assert two.node.observe().neighbours == ()


def test_system_controls_belong_to_their_namespace(two: Two) -> None:
    name = "net/ipv4/ip_forward"
    before = two.pod.observe(sysctls=[name]).sysctls
    changed = Sysctl(name, "0" if before == (Sysctl(name, "1"),) else "1")
    done(two.node, Replace(changed))
    assert two.node.observe(sysctls=[name, "net/ipv4/no_such_thing"]).sysctls == (changed,)
    assert two.pod.observe(sysctls=[name]).sysctls == before
