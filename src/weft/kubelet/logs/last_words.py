"""Termination messages ("Determine the Reason for Pod Failure")."""

from pathlib import Path

from weft.kubelet.logs.format import parse_entry

_LONGEST = 4096
_FROM_LOG = 2048
_LINES = 80


def last_words(path: Path, log: Path | None) -> str:
    """What the container wrote to its termination message file, or the end of its log where `log` is given."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode(errors="replace")
    except OSError:
        text = ""
    return text or (_end_of(log) if log else "")


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4 * _FROM_LOG))
            entries = [parse_entry(line) for line in file.read().splitlines()[-_LINES:]]
    except OSError:
        return ""
    return b"".join(entry.text for entry in entries if entry)[-_FROM_LOG:].decode(errors="replace")
