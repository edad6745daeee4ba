"""A lab's network made of the kernel's own parts, with real packets; removed without a trace."""

import socket
from collections.abc import Iterator

import pytest

from weft.kernel.real import netns
from weft.kernel.real.netlink.network import NetlinkNetwork
from weft.lab import config, machine, underlay
from weft.lab.config import LabConfig
from weft.lab.layout import Layout

pytestmark = pytest.mark.root


@pytest.fixture
def lab() -> Iterator[tuple[LabConfig, Layout]]:
    layout = Layout("t-underlay")
    made = machine.place(config.make("t-underlay", nodes=2, dual_stack=True))
    underlay.create(made, layout)
    yield made, layout
    underlay.remove(made, layout)
    with NetlinkNetwork("") as host:
        assert host.link(underlay.host_link(made)) is None
    assert not [name for name in netns.names() if name.startswith("weft-t-underlay-")]


def _listen(address: str) -> socket.socket:
    return socket.create_server((address, 7000), family=socket.AF_INET6 if ":" in address else socket.AF_INET)


def _connect(address: str) -> str:
    with socket.create_connection((address, 7000), timeout=2) as made:
        own: str = made.getsockname()[0]
        return own


def test_host_control_plane_and_nodes_reach_each_other_in_both_families(lab: tuple[LabConfig, Layout]) -> None:
    made, layout = lab
    for index, address in enumerate(made.node_addresses("node2")):
        with netns.run_in(layout.node_netns("node2"), _listen, str(address)):
            assert _connect(str(address)) == str(made.host_addresses()[index])
            seen = netns.run_in(layout.node_netns("node1"), _connect, str(address))
            assert seen == str(made.node_addresses("node1")[index])
            seen = netns.run_in(layout.underlay_netns, _connect, str(address))
            assert seen == str(made.control_plane_addresses()[index])


def test_making_it_again_replaces_what_a_killed_start_left(lab: tuple[LabConfig, Layout]) -> None:
    made, layout = lab
    underlay.create(made, layout)
    with netns.run_in(layout.node_netns("node1"), _listen, str(made.node_addresses("node1")[0])):
        _connect(str(made.node_addresses("node1")[0]))


def test_the_next_lab_gets_another_subnet(lab: tuple[LabConfig, Layout]) -> None:
    made, _ = lab
    assert machine.place(config.make("t-underlay2", nodes=1)).subnet != made.subnet


def test_node_routes_name_the_host_as_gateway(lab: tuple[LabConfig, Layout]) -> None:
    made, layout = lab
    with NetlinkNetwork(layout.node_netns("node1")) as node:
        routes = node.observe(links=False, addresses=False, neighbours=False).routes
    gateways = {str(route.via) for route in routes if route.destination.prefixlen == 0}
    assert gateways == {str(address) for address in made.host_addresses()}
