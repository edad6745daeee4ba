"""The store over a file: what was acknowledged is there after a restart, history included."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from weft.apiserver.storage import cache
from weft.apiserver.storage.cache import TooOld
from weft.apiserver.storage.filter import Filter
from weft.apiserver.storage.journal import Journal
from weft.apiserver.storage.store import Store

THINGS = {"things": {}, "others": {}}


def opened(path: Path | None) -> Store:
    return Store(Journal(path), THINGS, lambda: None)


def thing(name: str, value: int = 0) -> dict[str, object]:
    return {"metadata": {"name": name}, "value": value}


async def write(store: Store, name: str, value: int = 0) -> int:
    record, durable = store.put("things", name, thing(name, value))
    await durable
    return record.rv


def state(store: Store) -> dict[str, int]:
    return {record.key: record.object()["value"] for record in store.cache("things").page(Filter()).records}


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "db")
    for number in range(20):
        await write(store, f"t{number % 7}", number)
    _, durable = store.remove("things", "t3")
    await durable
    before, rv = state(store), store.published
    store.close()
    again = opened(tmp_path / "db")
    assert state(again) == before and again.published == rv
    assert await write(again, "new") == rv + 1
    again.close()


async def test_watchers_go_on_after_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path / "db")
    seen = await write(store, "a", 1)
    await write(store, "a", 2)
    await write(store, "b", 1)
    _, durable = store.remove("things", "a")
    await durable
    store.close()
    again = opened(tmp_path / "db")
    watcher = again.cache("things").watch(Filter(), seen)
    assert [(type, change.key) for type, change in watcher.pending] == [
        ("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a"),
    ]  # fmt: skip
    assert b'"resourceVersion":"4"' in watcher.pending[2][1].line("DELETED")
    again.close()


async def test_history_is_pruned_on_disk_as_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RING", 10)
    store = opened(tmp_path / "db")
    await write(store, "kept", 7)
    for number in range(100):
        await write(store, f"t{number % 3}", number)
    _, durable = store.remove("things", "t1")
    await durable
    for number in range(20):
        await write(store, "t0", number)
    before, oldest = state(store), store.cache("things").oldest
    store.close()
    looking = sqlite3.connect(tmp_path / "db")
    assert looking.execute("SELECT count(*) FROM versions").fetchone()[0] <= 3 + 11
    looking.close()
    again = opened(tmp_path / "db")
    assert state(again) == before and again.cache("things").oldest == oldest
    with pytest.raises(TooOld):
        again.cache("things").watch(Filter(), oldest - 1)
    assert len(again.cache("things").changes_after(oldest)) == len(again.cache("things").ring)
    again.close()


async def test_writers_build_on_what_is_under_way(tmp_path: Path) -> None:
    store = opened(tmp_path / "db")
    first, one = store.put("things", "a", thing("a", 1))
    assert store.read("things", "a") is None and store.head("things", "a") is first
    second, two = store.put("things", "a", thing("a", 2))
    _, three = store.remove("things", "a")
    assert store.head("things", "a") is None
    await asyncio.gather(one, two, three)
    assert store.read("things", "a") is None and store.published == second.rv + 1
    store.close()


async def test_many_writes_share_a_flush(tmp_path: Path) -> None:
    store = opened(tmp_path / "db")
    writes = [store.put("things", f"t{number}", thing(f"t{number}"))[1] for number in range(1000)]
    await asyncio.gather(*writes)
    assert len(state(store)) == 1000
    store.close()


async def test_a_revision_from_the_future_is_waited_for() -> None:
    store = opened(None)
    assert not await store.reach(1, patience=0.02)
    waiting = asyncio.create_task(store.reach(1, patience=5))
    await asyncio.sleep(0)
    await write(store, "a")
    assert await waiting
    store.close()


async def test_a_store_that_cannot_be_written_stops(tmp_path: Path) -> None:
    stopped = asyncio.Event()
    journal = Journal(tmp_path / "db")
    store = Store(journal, THINGS, stopped.set)
    await write(store, "a")
    journal._db.execute("DROP TABLE versions")
    with pytest.raises(OSError, match="cannot write the store"):
        await write(store, "b")
    assert stopped.is_set() and store.failed
    with pytest.raises(OSError, match="has failed"):
        store.put("things", "c", thing("c"))
    assert store.read("things", "b") is None
    store.close()


def test_files_that_cannot_serve(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be taken for one" * 50)
    with pytest.raises(ValueError, match=r"--data .*text"):
        Journal(tmp_path / "text")
    with pytest.raises(ValueError, match="--data"):
        Journal(tmp_path / "missing" / "db")
    future = sqlite3.connect(tmp_path / "future")
    future.execute("PRAGMA user_version = 99")
    future.close()
    with pytest.raises(ValueError, match="made by a newer version"):
        Journal(tmp_path / "future")


def test_a_file_has_one_server(tmp_path: Path) -> None:
    first = Journal(tmp_path / "db")
    with pytest.raises(ValueError, match="database is locked"):
        Journal(tmp_path / "db")
    first.close()
    Journal(tmp_path / "db").close()
