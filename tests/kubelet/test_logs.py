"""The CRI log format, and reading it as kubectl logs asks."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict

from weft.kubelet.logs.format import Entry, nanoseconds, parse_entry
from weft.kubelet.logs.last_words import last_words
from weft.kubelet.logs.reader import LogOptions, read_log
from weft.kubelet.server.logs import log_options


def line(second: int, text: str, stream: str = "stdout", tag: str = "F") -> str:
    return f"2026-01-01T00:00:{second:02d}.5Z {stream} {tag} {text}\n"


def test_entries() -> None:
    stamp = "2016-10-06T00:17:09.669794202Z"
    assert parse_entry(f"{stamp} stdout F hello world\n".encode()) == Entry(stamp, "stdout", False, b"hello world\n")
    assert parse_entry(f"{stamp} stderr P:x part".encode()) == Entry(stamp, "stderr", True, b"part")
    assert parse_entry(f"{stamp} stdout F ".encode()) == Entry(stamp, "stdout", False, b"\n")
    assert parse_entry(b"no log") is None and parse_entry(b"") is None
    assert nanoseconds(stamp) == 1475713029669794202
    assert nanoseconds("2016-10-06T02:17:09+02:00") == 1475713029000000000


async def collect(path: Path, **options: object) -> str:
    return b"".join([p async for p in read_log(path, LogOptions(**options), lambda: False)]).decode()  # type: ignore[arg-type]


async def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(
        line(1, "a") + line(2, "long", tag="P") + line(2, " one") + line(3, "oops", "stderr") + line(4, "z")
    )
    assert await collect(path) == "a\nlong one\noops\nz\n"
    assert await collect(path, tail=2) == "oops\nz\n"
    assert await collect(path, tail=0) == ""
    assert await collect(path, tail=99) == "a\nlong one\noops\nz\n"
    assert await collect(path, since=nanoseconds("2026-01-01T00:00:03Z")) == "oops\nz\n"
    assert await collect(path, limit=4) == "a\nlo"
    assert await collect(path, stream="stderr", timestamps=True) == "2026-01-01T00:00:03.5Z oops\n"
    assert await collect(tmp_path / "none") == ""


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 70_000), max_size=6), st.integers(0, 8))
async def test_tails_of_any_shape(sizes: list[int], tail: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "0.log"
        texts = [chr(97 + index) * size for index, size in enumerate(sizes)]
        path.write_text("".join(line(1, text) for text in texts))
        assert await collect(path, tail=tail) == "".join(f"{t}\n" for t in texts[max(len(texts) - tail, 0) :])


async def test_following_over_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(line(1, "one"))
    looks = 0

    def alive() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            path.rename(tmp_path / "0.log.1")
            path.write_text(line(2, "two"))
        return looks < 3

    pieces = [piece async for piece in read_log(path, LogOptions(follow=True), alive)]
    assert pieces == [b"one\n", b"two\n"]


def test_options() -> None:
    query = MultiDict({"follow": "true", "tailLines": "5", "sinceSeconds": "10", "limitBytes": "7", "previous": "1"})
    options, previous = log_options(query, 100.0)
    assert options == LogOptions(True, 5, 90_000_000_000, False, 7) and previous
    with pytest.raises(ValueError, match="tailLines: '-1'"):
        log_options(MultiDict({"tailLines": "-1"}), 0.0)
    with pytest.raises(ValueError, match="sinceTime: 'x'"):
        log_options(MultiDict({"sinceTime": "x"}), 0.0)


def test_last_words(tmp_path: Path) -> None:
    path, log = tmp_path / "words", tmp_path / "0.log"
    log.write_text("".join(line(1, f"line {i}") for i in range(100)))
    assert last_words(path, None) == ""
    assert last_words(path, log).splitlines()[-1] == "line 99" and len(last_words(path, log).splitlines()) == 80
    path.write_text("bye")
    assert last_words(path, log) == "bye"
