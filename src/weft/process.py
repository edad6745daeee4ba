"""How every component's process begins and ends: arguments, logging, signals, exit status."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from asyncio import sslproto
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import weft


class Component(Protocol):
    """A component's `run` module."""

    @property
    def __doc__(self) -> str | None: ...  # type: ignore[override]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> Coroutine[Any, Any, int]: ...


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        source = record.name.removeprefix("weft.")
        text = f"{stamp} {record.levelname[0]} {source}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def log_to_stderr(verbose: int = 0) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for noisy in ("aiohttp.access", "asyncio", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class ShowVersion(argparse.Action):
    """As argparse's own, but looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        print(f"weft {weft.__version__}")
        parser.exit()


def parser(name: str, component: Component) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"weft {name}", description=component.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("-v", "--verbose", action="count", default=0, help="log what is decided, not only what is done")
    made.add_argument("--version", action=ShowVersion, nargs=0, help="print the version and exit")
    component.add_arguments(made)
    return made


def main(name: str, component: Component, argv: Sequence[str] | None = None) -> int:
    """Runs the component until it ends or SIGTERM or SIGINT asks it to; returns the exit status."""
    args = parser(name, component).parse_args(argv)
    # asyncio keeps a buffer of this size for each TLS connection, 256 KiB by default, and watches are connections.
    # A TLS record is at most 16 KiB.
    sslproto.SSLProtocol.max_size = 32 << 10
    log_to_stderr(args.verbose)
    try:
        return asyncio.run(_until_signal(component.run(args)))
    except ValueError as error:
        if args.verbose:
            logging.exception("stopped")
        print(f"weft {name}: {error}", file=sys.stderr)
        return 2


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 0
