"""What others do to our tables is put right."""

import asyncio
import contextlib
import subprocess

import pytest
from tests.proxy.suite.test_cluster_ip import VIP, web
from tests.proxy.suite.world import World

from weft.proxy.nftables.mode import NftablesMode

pytestmark = pytest.mark.root
DAMAGE = [
    "flush ruleset",
    "delete table ip weft-proxy",
    "flush table ip weft-proxy",
    "flush chain ip weft-proxy nat-prerouting",
    "flush chain ip weft-proxy pick-tcp-2",
    "flush map ip weft-proxy services",
    f"delete element ip weft-proxy services {{ {VIP} . tcp . 80 }}",
    f"delete element ip weft-proxy endpoints-tcp {{ {VIP} . 80 . 1 }}",
    "insert rule ip weft-proxy nat-prerouting tcp dport 80 drop",
    "insert rule ip weft-proxy pick-tcp-2 drop",
]


@pytest.fixture(autouse=True)
def only_nftables(world: World) -> None:
    if not isinstance(world.modes["node1"], NftablesMode):
        pytest.skip("another mode has no tables of this kind")


def nft(world: World, command: str) -> None:
    subprocess.run(["ip", "netns", "exec", world.ns("node1"), "nft", command], check=True)


@pytest.mark.parametrize("command", DAMAGE)
async def test_damage_is_mended(world: World, command: str) -> None:
    await web(world, "a", "b")
    mode = world.modes["node1"]
    watch = mode.watch()
    assert watch is not None
    with contextlib.closing(watch):
        await world.begin()
        assert not watch.read()
        nft(world, command)
        assert watch.read()
        await world.begin()
        assert not watch.read()
    assert set(await world.answers("c", VIP)) == {"a", "b"}


async def test_damage_while_away_is_mended(world: World) -> None:
    await web(world, "a", "b")
    nft(world, "flush table ip weft-proxy")
    await world.restart()
    assert set(await world.answers("c", VIP)) == {"a", "b"}


async def test_rules_of_others_stay(world: World) -> None:
    await web(world, "a", "b")
    nft(world, "add table ip other ; add chain ip other c ; add rule ip other c drop")
    await world.restart()
    for mode in world.modes.values():
        await mode.cleanup()
    done = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", world.ns("node1"), "nft", "list", "table", "ip", "other", stdout=subprocess.PIPE
    )
    out, _ = await done.communicate()
    assert b"drop" in out
    nft(world, "delete table ip other")
    await world.begin()
