"""The store on disk: an append-only table of versions in SQLite, written by one thread that commits in groups.

While one transaction is on its way to the disk, the writes that arrive meanwhile collect for the next (in
`store.Store`): the more writers, the larger the group, and the cost of the flush is shared. A write is acknowledged
after its flush (WAL, synchronous=FULL). A failed
transaction ends the process: what is in memory is then ahead of the disk.

Superseded versions stay until the ring of changes in memory forgets them (`prune`), so that a restarted server
replays recent history to those who watch.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (rv INTEGER PRIMARY KEY, resource TEXT NOT NULL, key TEXT NOT NULL, value BLOB);
CREATE TABLE IF NOT EXISTS compacted (resource TEXT PRIMARY KEY, rv INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_ROWS = 128
"""In one INSERT. A group of up to so many is one statement: one transaction, and one hand-over of Python's interpreter
lock to the thread and back."""


@dataclass(frozen=True, slots=True)
class Row:
    rv: int
    resource: str
    key: str
    value: bytes | None
    """None: the object ended at this revision."""


@dataclass(frozen=True, slots=True)
class _Prune:
    resource: str
    rv: int
    superseded: tuple[int, ...]


class Journal:
    """Open, `load()` once, `start()`, then `append()`; all but the thread's own work on the caller's thread."""

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory. Raises ValueError where the file cannot serve."""
        self._path = path
        self._queue: SimpleQueue[Sequence[Row] | _Prune | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        try:
            self._db = sqlite3.connect(
                path or ":memory:",
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_ROWS * 2,
                timeout=2,
            )
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two servers on one file would give revisions twice
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, 1):
                raise ValueError(f"--data {path}: made by a newer version of Weft (format {version}); use that version")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ValueError(f"--data {path}: {error}; name a writable file on a local disk") from None

    def load(self) -> Iterator[Row]:
        """Every remembered version, oldest first."""
        for rv, resource, key, value in self._db.execute("SELECT rv, resource, key, value FROM versions ORDER BY rv"):
            yield Row(rv, resource, key, value)

    def compacted(self) -> dict[str, int]:
        """The revision per resource up to which only the newest versions are kept."""
        return dict(self._db.execute("SELECT resource, rv FROM compacted"))

    def start(self, committed: Callable[[int], None], failed: Callable[[Exception], None]) -> None:
        """`committed(rv)` is called on the thread after each flush: everything up to `rv` is durable."""
        self._thread = threading.Thread(target=self._run, args=(committed, failed), name="journal", daemon=True)
        self._thread.start()

    def append(self, rows: Sequence[Row]) -> None:
        """One transaction, at least one row; revisions grow from call to call."""
        self._queue.put(rows)

    def prune(self, resource: str, rv: int, superseded: Sequence[int]) -> None:
        """Forgets these versions; the resource's history now begins after `rv`."""
        self._queue.put(_Prune(resource, rv, tuple(superseded)))

    def close(self) -> None:
        """Writes what is queued and closes the file."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._db.close()

    def _run(self, committed: Callable[[int], None], failed: Callable[[Exception], None]) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, _Prune):
                    self._forget(item)
                else:
                    self._insert(item)
                    committed(item[-1].rv)
        except sqlite3.Error as error:
            failed(error)

    def _insert(self, rows: Sequence[Row]) -> None:
        if len(rows) <= _ROWS:
            self._insert_some(rows)
            return
        self._db.execute("BEGIN")
        for start in range(0, len(rows), _ROWS):
            self._insert_some(rows[start : start + _ROWS])
        self._db.execute("COMMIT")

    def _insert_some(self, rows: Sequence[Row]) -> None:
        places = ",".join(["(?,?,?,?)"] * len(rows))
        values = [value for row in rows for value in (row.rv, row.resource, row.key, row.value)]
        self._db.execute("INSERT INTO versions (rv, resource, key, value) VALUES " + places, values)

    def _forget(self, prune: _Prune) -> None:
        self._db.execute("BEGIN")
        numbers = ",".join(map(str, prune.superseded))
        self._db.execute(f"DELETE FROM versions WHERE rv IN ({numbers})")
        self._db.execute("INSERT OR REPLACE INTO compacted VALUES (?, ?)", (prune.resource, prune.rv))
        self._db.execute("COMMIT")
