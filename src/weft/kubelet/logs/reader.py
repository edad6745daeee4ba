"""Reads a container's log as `kubectl logs` asks for it: tail, since, timestamps, limit, follow."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from weft.kubelet.logs.format import nanoseconds, parse_entry

_BLOCK = 1 << 16
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class LogOptions:
    """PodLogOptions. `since`: Unix nanoseconds; `tail`, `limit`: None for all; `stream`: stdout, stderr or both."""

    follow: bool = False
    tail: int | None = None
    since: int = 0
    timestamps: bool = False
    limit: int | None = None
    stream: str = ""


async def read_log(path: Path, options: LogOptions, alive: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Pieces of output. Following ends when `alive()` is false and the file is read to its end, also over rotation."""
    left = options.limit
    started = options.since == 0
    while not path.exists():
        if not (options.follow and alive()):
            return
        await asyncio.sleep(_PAUSE)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        if options.tail is not None:
            file.seek(_tail_offset(file, options.tail))
        async for line in _lines(path, file, options.follow, alive, stack):
            entry = parse_entry(line)
            if entry is None or options.stream not in ("", entry.stream):
                continue
            if not started:
                if nanoseconds(entry.timestamp) < options.since:
                    continue
                started = True
            text = f"{entry.timestamp} ".encode() + entry.text if options.timestamps else entry.text
            if left is not None:
                text = text[:left]
                left -= len(text)
            yield text
            if left == 0:
                return


async def _lines(
    path: Path, file: BinaryIO, follow: bool, alive: Callable[[], bool], stack: contextlib.ExitStack
) -> AsyncIterator[bytes]:
    rest, last_look = b"", False
    while True:
        block = file.read(_BLOCK)
        if block:
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield line
            last_look = False
            continue
        if not follow:
            if rest:
                yield rest
            return
        if (fresh := _rotated(path, file)) is not None:
            file = stack.enter_context(fresh)
            continue
        if last_look:
            return
        if not alive():
            last_look = True  # it may have written between our reading and its end
            continue
        await asyncio.sleep(_PAUSE)


def _rotated(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file that is now at `path`, where it is another one than `file`."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return None
    return path.open("rb") if now.st_ino != os.fstat(file.fileno()).st_ino else None


def _tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines begin; found from the end, block by block."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    position, seen = end, 0
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            if position + at + 1 == end:
                continue  # the end of the last line
            seen += 1
            if seen == lines:
                return position + at + 1
    return 0
