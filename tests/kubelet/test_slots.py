"""Who starts when many want to."""

import asyncio

import pytest

from weft.kubelet.pods.slots import Slots


async def test_those_that_have_begun_go_first() -> None:
    slots, order = Slots(1), []

    async def want(name: str, begun: bool) -> None:
        async with slots.hold(begun=begun):
            order.append(name)
            await asyncio.sleep(0)

    async with slots.hold():
        tasks = [asyncio.create_task(want(n, n.isupper())) for n in ("a", "b", "C", "d", "E")]
        await asyncio.sleep(0.01)
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["C", "E", "a", "b", "d"]


async def test_never_more_at_a_time_also_when_some_give_up() -> None:
    slots, running, most = Slots(3), 0, 0

    async def want() -> None:
        nonlocal running, most
        async with slots.hold():
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(0.002)
            finally:
                running -= 1

    tasks = [asyncio.create_task(want()) for _ in range(30)]
    await asyncio.sleep(0.003)
    for task in tasks[::4]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    async with asyncio.timeout(1):
        async with slots.hold(), slots.hold(), slots.hold():
            pass


async def test_a_holder_that_hangs_does_not_stop_the_others() -> None:
    slots = Slots(1, patience=0.05)
    async with slots.hold():
        async with asyncio.timeout(1):
            async with slots.hold():
                pass
            with pytest.raises(RuntimeError):
                async with slots.hold():
                    raise RuntimeError
