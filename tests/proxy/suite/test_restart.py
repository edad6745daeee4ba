"""Restarts: nothing that is open breaks, nothing new fails."""

import asyncio

import pytest
from tests.proxy.builders import endpoint_slice, service
from tests.proxy.suite.test_cluster_ip import VIP, ends, web
from tests.proxy.suite.world import World

pytestmark = pytest.mark.root


async def test_a_restart_breaks_no_connection_and_fails_no_call(world: World) -> None:
    await web(world, "a", "b", "d")
    opened = [await world.connect("c", VIP) for _ in range(20)]
    stop, calls = asyncio.Event(), 0

    async def caller() -> None:
        nonlocal calls
        while not stop.is_set():
            await world.ask("c", VIP)
            calls += 1

    tasks = [asyncio.create_task(caller()) for _ in range(2)]
    for _ in range(5):
        await world.restart()
        await asyncio.sleep(0.02)
    async with asyncio.timeout(30):  # a slow machine takes its time; none of the calls may fail
        while calls <= 10:
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*tasks)
    for connection in opened:
        assert (await connection.ask())[0] in "abd"
        connection.close()


async def test_what_changed_meanwhile_is_caught_up_with(world: World) -> None:
    await web(world, "a", "b")
    await world.serve("d")
    await world.restart(service("other", "10.96.0.11"), endpoint_slice(*ends("d")), gone=(service(),))
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        await world.ask("c", VIP)
    with pytest.raises(ConnectionRefusedError):
        await world.ask("c", "10.96.0.11")
    await world.told(endpoint_slice(*ends("d"), service="other"))
    assert set(await world.answers("c", "10.96.0.11")) == {"d"}


async def test_cleanup_leaves_what_is_not_ours(world: World) -> None:
    await web(world, "a")
    for mode in world.modes.values():
        await mode.cleanup()
    with pytest.raises((OSError, TimeoutError)):
        await world.ask("c", VIP)
    assert (await world.ask("c", "10.244.1.5", 8080))[0] == "a"
    await world.begin()
    assert (await world.ask("c", VIP))[0] == "a"
