"""Records that survive kill -9: one line is appended for each change, the file is rewritten by rename.

A record whose line was cut short (the disk was full, the machine stopped) was never acknowledged, so it is dropped.
Nothing is synced to the disk: after a power failure the namespaces that the records are about are gone too.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_log = logging.getLogger(__name__)
_DEAD_LINES = 1000


class _Line(msgspec.Struct, omit_defaults=True):
    """Without a value, the record is deleted."""

    key: str
    value: msgspec.Raw = msgspec.Raw()


class Journal(Generic[T]):
    """A dict of records by key, in a file. Not for two processes at once; calls are serialised by the owner."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        """Reads what is there. Raises OSError where the directory cannot be written."""
        self._path = path
        self._decoder = msgspec.json.Decoder(kind)
        self._records: dict[str, T] = {}
        self._dead = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._load()
        self._file = self._rewrite()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._records))

    def get(self, key: str) -> T | None:
        return self._records.get(key)

    def values(self) -> tuple[T, ...]:
        return tuple(self._records.values())

    def put(self, key: str, value: T) -> None:
        """Raises OSError; then the record is as it was."""
        self._append(_line(key, value))
        self._dead += key in self._records
        self._records[key] = value

    def delete(self, key: str) -> None:
        """No error where there is no such record. Raises OSError; then the record is still there."""
        if key not in self._records:
            return
        self._append(_line(key, None))
        del self._records[key]
        self._dead += 2
        if self._dead > _DEAD_LINES + len(self._records):
            os.close(self._file)
            self._file = self._rewrite()

    def close(self) -> None:
        os.close(self._file)

    def _append(self, line: bytes) -> None:
        written = os.write(self._file, line)
        if written != len(line):
            # A full disk: end the torn line, so that the next one is whole again.
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(f"cannot write {self._path}: no space left")

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        for number, text in enumerate(data.split(b"\n"), 1):
            if not text:
                continue
            try:
                line = msgspec.json.decode(text, type=_Line)
                if bytes(line.value):
                    self._records[line.key] = self._decoder.decode(line.value)
                else:
                    self._records.pop(line.key, None)
            except msgspec.DecodeError as error:
                _log.warning("line %d of %s is dropped: %s", number, self._path, error)

    def _rewrite(self) -> int:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(_line(key, value) for key, value in self._records.items()))
        fd = os.open(fresh, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.rename(fresh, self._path)
        self._dead = 0
        return fd


def _line(key: str, value: object) -> bytes:
    line = _Line(key) if value is None else _Line(key, msgspec.Raw(msgspec.json.encode(value)))
    return msgspec.json.encode(line) + b"\n"
