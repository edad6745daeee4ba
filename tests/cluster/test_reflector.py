"""A reflector's copy equals the server's objects after any series of changes, restarts and expiries."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from weft.cluster.errors import Expired, Unavailable
from weft.cluster.fake import FakeCluster
from weft.cluster.objects.resource import CONFIGMAPS
from weft.cluster.reflector import Reflector

Object = dict[str, Any]


def _map(name: str, value: str = "") -> Object:
    return {"metadata": {"name": name, "namespace": "n"}, "data": {"v": value}}


class Flaky(FakeCluster):
    """Breaks the watch off after every event, by turns with an expired version and a lost connection."""

    turn = 0

    async def watch(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for event in super().watch(*args, **kwargs):
            yield event
            self.turn += 1
            raise Expired(410, "Expired", "too old") if self.turn % 2 else Unavailable(0, "", "gone")


async def test_the_copy_follows_through_breaks_and_expiries() -> None:
    cluster = Flaky((CONFIGMAPS, _map("kept")))
    told: dict[str, str | None] = {}

    def on_change(key: str, old: Object | None, new: Object | None) -> None:
        assert told.get(key) == (old["data"]["v"] if old else None)
        told[key] = new["data"]["v"] if new else None

    reflector = Reflector(cluster, CONFIGMAPS, dict[str, Any], on_change)
    task = asyncio.ensure_future(reflector.run())
    await asyncio.wait_for(reflector.synced.wait(), 5)
    for number in range(6):
        cluster.put(CONFIGMAPS, _map(f"m{number % 3}", str(number)))
        await asyncio.sleep(0.01)
    await cluster.delete(CONFIGMAPS, "m1", "n")
    async with asyncio.timeout(5):
        while told != {
            "n/kept": "",
            "n/m0": "3",
            "n/m1": None,
            "n/m2": "5",
        }:
            await asyncio.sleep(0.01)
    assert sorted(reflector.objects) == ["n/kept", "n/m0", "n/m2"]
    late: list[str] = []
    reflector.subscribe(lambda key, old, new: late.append(key))
    assert sorted(late) == ["n/kept", "n/m0", "n/m2"]
    task.cancel()
