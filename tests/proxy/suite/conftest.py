"""The world and the modes under test. A new mode of the proxy joins here, and must pass everything."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.proxy.suite.sockets import Ebpf
from tests.proxy.suite.world import POD_RANGES, MakeMode, World, unique

from weft.kernel.real.iptables import RealIptables
from weft.kernel.real.nft import RealNft
from weft.proxy.iptables.mode import IptablesMode, options
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Mode


def nftables(namespace: str, _node: str) -> Mode:
    return NftablesMode(RealNft(namespace), layouts(POD_RANGES, masquerade_all=False))


def iptables(namespace: str, _node: str) -> Mode:
    return IptablesMode(RealIptables(namespace), options(POD_RANGES, masquerade_all=False))


MODES: dict[str, MakeMode] = {"nftables": nftables, "iptables": iptables, "ebpf": Ebpf()}


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
