"""A key is handled by one worker at a time, again when it failed, and never forgotten."""

import asyncio
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from weft.reconcile.loop import Loop
from weft.reconcile.queue import WorkQueue


async def _until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.001)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=40), st.integers(1, 4))
def test_every_key_is_handled_after_its_last_addition_and_never_twice_at_once(keys: list[str], workers: int) -> None:
    async def scenario() -> None:
        active: set[str] = set()
        added, handled_at = Counter[str](), Counter[str]()

        async def handle(key: str) -> None:
            assert key not in active
            active.add(key)
            seen = added[key]
            await asyncio.sleep(0)
            active.discard(key)
            handled_at[key] = seen

        queue = WorkQueue(handle, workers=workers)
        task = asyncio.ensure_future(queue.run())
        for number, key in enumerate(keys):
            added[key] += 1
            queue.add(key)
            if number % 3 == 0:
                await asyncio.sleep(0)
        await _until(lambda: handled_at == added)
        task.cancel()

    asyncio.run(scenario())


async def test_a_failing_key_is_tried_again_and_does_not_hold_up_others() -> None:
    tries = Counter[str]()

    async def handle(key: str) -> None:
        tries[key] += 1
        if key == "bad" and tries[key] < 4:
            raise OSError("not yet")

    queue = WorkQueue(handle, workers=1)
    task = asyncio.ensure_future(queue.run())
    queue.add("bad")
    queue.add("good")
    queue.add_after("later", 0.02)
    await _until(lambda: tries == {"bad": 4, "good": 1, "later": 1})
    task.cancel()


async def test_the_loop_coalesces_triggers_and_retries_failures() -> None:
    runs = 0

    async def step() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise OSError("kernel is busy")

    loop = Loop(step, name="test")
    task = asyncio.ensure_future(loop.run())
    await _until(lambda: runs == 1)
    for _ in range(100):
        loop.trigger()
    await _until(lambda: runs == 2)
    assert loop.failures == 1
    await _until(lambda: runs == 3)
    await _until(lambda: loop.failures == 0)
    await asyncio.sleep(0.02)
    assert runs == 3
    task.cancel()
