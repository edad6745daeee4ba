"""The world and the modes under test. A new mode of the proxy joins here, and must pass everything."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.proxy.suite.sockets import Ebpf
from tests.proxy.suite.world import POD_RANGES, MakeMode, World, unique

from weft.kernel.real.iptables import RealIptables
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.real.nft import RealNft
from weft.proxy.iptables.mode import IptablesMode, options
from weft.proxy.link import ServiceLink
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Mode
from weft.proxy.userspace.doors import Sockets
from weft.proxy.userspace.mode import UserspaceMode


def nftables(namespace: str, _node: str) -> Mode:
    return NftablesMode(RealNft(namespace), layouts(POD_RANGES, masquerade_all=False))


def iptables(namespace: str, _node: str) -> Mode:
    return IptablesMode(RealIptables(namespace), options(POD_RANGES, masquerade_all=False))


def userspace(namespace: str, _node: str) -> Mode:
    return UserspaceMode(ServiceLink(NetlinkNetwork(namespace)), Sockets(namespace), POD_RANGES)


MODES: dict[str, MakeMode] = {"nftables": nftables, "iptables": iptables, "userspace": userspace, "ebpf": Ebpf()}

_OTHER_CALLER = "endpoints see the node as the caller: the connection is the node's own"
_SOCKETS = "flows are sockets of the node, not translations: they end with their endpoint"
_PROCESS = "connections are the process's, and end with it"
LACKS: dict[str, dict[str, str]] = {
    "userspace": {
        "test_affinity_from_outside[userspace-Local]": _OTHER_CALLER,
        "test_affinity_outlives_a_restart[userspace]": _PROCESS,
        "test_pods_and_nodes_reach_it_and_pods_are_seen_as_themselves[userspace-c]": _OTHER_CALLER,
        "test_pods_and_nodes_reach_it_and_pods_are_seen_as_themselves[userspace-d]": _OTHER_CALLER,
        "test_six[userspace]": _OTHER_CALLER,
        "test_a_flow_leaves_its_removed_endpoint[userspace-False]": _SOCKETS,
        "test_a_flow_leaves_its_removed_endpoint[userspace-True]": _SOCKETS,
        "test_only_flows_of_that_endpoint_are_forgotten[userspace]": _SOCKETS,
        "test_local_policy_keeps_the_source_and_stays_on_the_node[userspace]": _OTHER_CALLER,
        "test_source_ranges_hold_without_endpoints_too[userspace]": "the kernel refuses all callers where none listens",
        "test_internal_policy_local[userspace-c]": _OTHER_CALLER,
        "test_a_restart_breaks_no_connection_and_fails_no_call[userspace]": _PROCESS,
    }
}
"""What a mode cannot do by its nature, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for lacks in LACKS.values():
            if item.path.parent == Path(__file__).parent and item.name in lacks:
                item.add_marker(pytest.mark.skip(lacks[item.name]))


@pytest.fixture(scope="session", params=list(MODES))
def built(request: pytest.FixtureRequest) -> Iterator[World]:
    world = World(unique(request.param[:4]))
    try:
        world.build()
        world.start(MODES[request.param])
        yield world
    finally:
        for mode in world.modes.values():
            mode.close()
        world.destroy()


@pytest.fixture
async def world(built: World) -> AsyncIterator[World]:
    await built.begin()
    yield built
    await built.reset()


@pytest.fixture
def make_mode(built: World, request: pytest.FixtureRequest) -> MakeMode:
    return MODES[request.node.callspec.params["built"]]
