"""Tells on standard error what goes on and how long it took: a line per step, coloured only on a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    def __init__(self, quiet: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet
        self._open = ""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        started = time.monotonic()
        if self._terminal and not self._quiet:
            print(f"  … {text}", end="", file=sys.stderr, flush=True)
        self._open = text
        try:
            yield
        except BaseException:
            self._line("31", "✗", text, started)
            raise
        self._line("32", "✓", text, started)

    def note(self, text: str) -> None:
        """Something worth a line within a step."""
        if not self._quiet:
            start = "\r\033[K" if self._terminal else ""
            print(f"{start}    {text}", file=sys.stderr)
            if self._terminal and self._open:
                print(f"  … {self._open}", end="", file=sys.stderr, flush=True)

    def _line(self, colour: str, sign: str, text: str, started: float) -> None:
        self._open = ""
        if self._quiet:
            return
        took = f"{time.monotonic() - started:.1f} s"
        if self._terminal:
            print(f"\r\033[K  \033[{colour}m{sign}\033[0m {text}  \033[2m{took}\033[0m", file=sys.stderr)
        else:
            print(f"  {sign} {text}  {took}", file=sys.stderr)
