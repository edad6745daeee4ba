"""Network namespaces without a forked helper: make, name, enter, delete. Source: setns(2), unshare(2), ip-netns(8).

`setns` changes the calling thread only; every other thread of the process stays where it is. Named namespaces are bind
mounts below /run/netns, as `ip netns` makes them, so each program sees the other's.
"""

import contextlib
import ctypes
import errno
import functools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

from weft.kernel.errors import KernelError

P = ParamSpec("P")
T = TypeVar("T")

DIRECTORY = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 1 << 20
_MNT_DETACH = 2
_OWN = "/proc/thread-self/ns/net"


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(what: str, function: str, *args: object) -> None:
    if getattr(_libc(), function)(*args) != 0:
        raise KernelError(ctypes.get_errno(), what)


def _mount(source: str, target: Path, flags: int, what: str) -> None:
    _call(what, "mount", source.encode(), os.fsencode(target), b"none", ctypes.c_ulong(flags), None)


def path_of(name: str) -> str:
    """Where the namespace called `name` lies; a path is taken as it is. Raises ValueError for a bad name."""
    if "/" in name:
        return name
    if not name or name in (".", "..") or len(name) > 255:
        raise ValueError(f"network namespace: {name!r} is not a name such as weft-node1")
    return str(DIRECTORY / name)


def create(name: str) -> str:
    """Makes the named namespace, its lo still down, and returns its path. Raises KernelError (EEXIST: name in use)."""
    path = Path(path_of(name))
    _share_directory()
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o444))
    except FileExistsError:
        raise KernelError(errno.EEXIST, f"create network namespace {name}") from None
    try:
        _in_thread(_unshare_onto, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return str(path)


def delete(name: str) -> None:
    """Takes the name away, also of half-made ones; the namespace ends with its last process, socket and file."""
    path = Path(path_of(name))
    if _libc().umount2(os.fsencode(path), _MNT_DETACH) != 0 and ctypes.get_errno() not in (errno.EINVAL, errno.ENOENT):
        raise KernelError(ctypes.get_errno(), f"delete network namespace {name}")
    path.unlink(missing_ok=True)


def names() -> list[str]:
    return sorted(entry.name for entry in DIRECTORY.iterdir()) if DIRECTORY.is_dir() else []


@contextlib.contextmanager
def opened(name: str) -> Iterator[int]:
    """A file descriptor of the namespace with this name or path. Raises KernelError."""
    try:
        fd = os.open(path_of(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KernelError(error.errno or 0, f"open network namespace {name}") from None
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def entered(target: str | int) -> Iterator[None]:
    """The calling thread is in the namespace (name, path or descriptor) within the block: do not await in it."""
    with contextlib.ExitStack() as stack:
        fd = stack.enter_context(opened(target)) if isinstance(target, str) else target
        home = stack.enter_context(opened(_OWN))
        _call(f"enter network namespace {target}", "setns", fd, _CLONE_NEWNET)
        try:
            yield
        finally:
            if _libc().setns(home, _CLONE_NEWNET) != 0:
                # A thread that cannot return would act on the wrong network from now on.
                os.abort()


def enter(target: str | int) -> None:
    """Moves the calling thread for good: what a child does between fork and exec (`preexec_fn`)."""
    with contextlib.ExitStack() as stack:
        fd = stack.enter_context(opened(target)) if isinstance(target, str) else target
        _call(f"enter network namespace {target}", "setns", fd, _CLONE_NEWNET)


def run_in(target: str | int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls `function` in the namespace, in a thread of its own, and returns or raises what it does."""

    def inside() -> T:
        enter(target)
        return function(*args, **kwargs)

    return _in_thread(inside)


def run_in_new(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls `function` in a fresh nameless namespace that ends with it: for probes."""

    def inside() -> T:
        _call("create network namespace", "unshare", _CLONE_NEWNET)
        return function(*args, **kwargs)

    return _in_thread(inside)


def _unshare_onto(path: Path) -> None:
    _call("create network namespace", "unshare", _CLONE_NEWNET)
    _mount(_OWN, path, _MS_BIND, f"name network namespace {path.name}")


def _share_directory() -> None:
    """A shared mount, as `ip netns add` does: a name deleted here must vanish in all mount namespaces, or it leaks."""
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    target = os.fsencode(DIRECTORY)
    flags = ctypes.c_ulong(_MS_SHARED | _MS_REC)
    if _libc().mount(b"", target, b"none", flags, None) == 0:
        return
    if ctypes.get_errno() != errno.EINVAL:
        raise KernelError(ctypes.get_errno(), f"share {DIRECTORY}")
    _mount(str(DIRECTORY), DIRECTORY, _MS_BIND | _MS_REC, f"mount {DIRECTORY}")
    _mount("", DIRECTORY, _MS_SHARED | _MS_REC, f"share {DIRECTORY}")


def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(function(*args, **kwargs))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
