"""bpf(2) by ctypes, without a compiler and without libbpf. Source: linux/bpf.h, bpf(2), "eBPF Syscall".

Maps and links are pinned in a BPF file system: programs work on when this process ends, and the next one finds them.
"""

import contextlib
import ctypes
import errno
import functools
import os
import platform
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from weft.kernel.bpf import BpfError
from weft.kernel.state.bpf import Hook, Map, Program, encode

_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "loongarch64": 280}
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT, _PROG_LOAD, _PIN, _GET = range(8)
_INFO, _LOOKUP_BATCH, _UPDATE_BATCH, _LINK_CREATE, _LINK_UPDATE = 15, 24, 26, 28, 29
_KINDS = {"hash": (1, 1), "lru_hash": (9, 0)}
"""Map types, and flags: BPF_F_NO_PREALLOC."""
_CGROUP_SOCK_ADDR = 18
_HOOKS: dict[Hook, int] = {
    "connect4": 10, "connect6": 11, "sendmsg4": 14, "sendmsg6": 15, "recvmsg4": 19, "recvmsg6": 20,
    "getpeername4": 29, "getpeername6": 30,
}  # fmt: skip
_BATCH = 4096
_LOG_SIZE = 1 << 16
_LINK, _MAP = "weft_link_", "weft_map_"
"""How the names of pins begin: others may have theirs beside them."""
_SOURCE = "weft"
_BPF_FS_MAGIC = 0xCAFE4A11
_CGROUP2_MAGIC = 0x63677270
_MNT_DETACH = 2


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attribute: bytes | ctypes.Array[ctypes.c_char]) -> int:
    """Raises OSError."""
    if isinstance(attribute, bytes):
        attribute = ctypes.create_string_buffer(attribute, len(attribute))
    found = _libc().syscall(_number(), command, attribute, len(attribute))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(found)


def _number() -> int:
    if sys.byteorder != "little" or platform.machine() not in _SYSCALL:
        raise BpfError(errno.ENOSYS, f"BPF programs are not written for {platform.machine()}")
    return _SYSCALL[platform.machine()]


@contextlib.contextmanager
def _doing(what: str) -> Iterator[None]:
    try:
        yield
    except BpfError:
        raise
    except OSError as error:
        hint = " (CAP_BPF or root is needed)" if error.errno == errno.EPERM else ""
        raise BpfError(error.errno or 0, f"bpf: cannot {what}: {error.strerror}{hint}") from None


def _buffer(data: bytes) -> tuple[ctypes.Array[ctypes.c_char], int]:
    made = ctypes.create_string_buffer(data, max(len(data), 1))
    return made, ctypes.addressof(made)


class RealBpf:
    """`kernel.bpf.Bpf` for the sockets of `cgroup` (a cgroup2 directory), with everything pinned in `directory`."""

    def __init__(self, cgroup: Path, directory: Path) -> None:
        self._directory = directory
        self._fds: dict[str, int] = {}
        _require_cgroup2(cgroup)
        try:
            self._cgroup = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise BpfError(error.errno or 0, f"cgroup {cgroup}: {error.strerror}") from None

    def close(self) -> None:
        for fd in (*self._fds.values(), self._cgroup):
            if fd >= 0:
                os.close(fd)
        self._fds.clear()
        self._cgroup = -1

    # Maps

    def open(self, maps: Iterable[Map]) -> None:
        _require_bpf_fs(self._directory)
        for one in maps:
            if one.name in self._fds:
                os.close(self._fds.pop(one.name))
            pin = self._directory / f"{_MAP}{one.name}"
            with _doing(f"open map {one.name}"):
                fd = _open_pin(pin)
                if fd >= 0 and not _fits(fd, one):
                    os.close(fd)
                    pin.unlink()
                    fd = -1
                if fd < 0:
                    fd = _create(one)
                    _pin(fd, pin)
                self._fds[one.name] = fd

    def _fd(self, of: Map) -> int:
        fd = self._fds.get(of.name, -1)
        if fd < 0:
            raise BpfError(errno.EBADF, f"bpf: map {of.name} is not open")
        return fd

    def put(self, to: Map, elements: Mapping[bytes, bytes]) -> None:
        items = list(elements.items())
        for start in range(0, len(items), _BATCH):
            part = items[start : start + _BATCH]
            keys, values = (_buffer(b"".join(column)) for column in zip(*part, strict=True))
            attribute = struct.pack("=4Q2I2Q", 0, 0, keys[1], values[1], len(part), self._fd(to), 0, 0)
            try:
                _bpf(_UPDATE_BATCH, attribute)
            except OSError as error:
                why = f"{to.entries} entries are all that it can hold" if error.errno == errno.E2BIG else error.strerror
                raise BpfError(error.errno or 0, f"bpf: cannot fill map {to.name}: {why}") from None

    def remove(self, of: Map, keys: Iterable[bytes]) -> None:
        with _doing(f"change map {of.name}"):
            for key in keys:
                held, place = _buffer(key)
                try:
                    _bpf(_MAP_DELETE, struct.pack("=I4x3Q", self._fd(of), place, 0, 0))
                except OSError as error:
                    if error.errno != errno.ENOENT:
                        raise
                del held

    def get(self, of: Map, key: bytes) -> bytes | None:
        (keys, place), (value, room) = _buffer(key), _buffer(bytes(of.value))
        try:
            with _doing(f"read map {of.name}"):
                _bpf(_MAP_LOOKUP, struct.pack("=I4x3Q", self._fd(of), place, room, 0))
        except BpfError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        del keys
        return value.raw

    def elements(self, of: Map) -> dict[bytes, bytes]:
        """In batches, each of whole buckets: with too little room for one, again with more."""
        found: dict[bytes, bytes] = {}
        room, before = _BATCH, b""
        with _doing(f"read map {of.name}"):
            while True:
                keys, values = _buffer(bytes(of.key * room)), _buffer(bytes(of.value * room))
                token_in, token_out = _buffer(before or bytes(8)), _buffer(bytes(max(of.key, 8)))
                places = (token_in[1] if before else 0, token_out[1], keys[1], values[1])
                attribute = ctypes.create_string_buffer(struct.pack("=4Q2I2Q", *places, room, self._fd(of), 0, 0), 56)
                done = False
                try:
                    _bpf(_LOOKUP_BATCH, attribute)
                except OSError as error:
                    if error.errno == errno.ENOSPC:
                        room *= 2
                        continue
                    if error.errno != errno.ENOENT:
                        raise
                    done = True
                count = struct.unpack_from("=I", attribute, 32)[0]
                raw_keys, raw_values = keys[0].raw, values[0].raw
                for at in range(count):
                    key = raw_keys[at * of.key : (at + 1) * of.key]
                    found[key] = raw_values[at * of.value : (at + 1) * of.value]
                if done:
                    return found
                before = token_out[0].raw

    # Programs

    def attach(self, programs: Iterable[Program]) -> None:
        for one in programs:
            program = load(one, self._fds)
            try:
                with _doing(f"attach {one.name} to the cgroup (5.7 or later has links for it)"):
                    self._link(one.hook, program)
            finally:
                os.close(program)

    def _link(self, hook: Hook, program: int) -> None:
        pin = self._directory / f"{_LINK}{hook}"
        link = _open_pin(pin)
        if link >= 0:
            try:
                if _cgroup_of(link) == os.fstat(self._cgroup).st_ino:
                    _bpf(_LINK_UPDATE, struct.pack("=4I", link, program, 0, 0))
                    return
            except OSError as error:
                # ENOLINK: its cgroup is gone.
                if error.errno != errno.ENOLINK:
                    raise
            finally:
                os.close(link)
            pin.unlink()
        link = _bpf(_LINK_CREATE, struct.pack("=4I", program, self._cgroup, _HOOKS[hook], 0))
        try:
            _pin(link, pin)
        finally:
            os.close(link)

    def attached(self) -> frozenset[Hook]:
        return frozenset(hook for hook in _HOOKS if (self._directory / f"{_LINK}{hook}").exists())

    def clear(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        clear(self._directory)


def clear(directory: Path) -> None:
    """Detaches and forgets what such doors pinned there; the file system goes too if it was mounted by them."""
    if _file_system(directory) != _BPF_FS_MAGIC:
        return
    # Links first: a program must not run on maps that are no longer cared for.
    for pattern in (f"{_LINK}*", f"{_MAP}*"):
        for pin in directory.glob(pattern):
            pin.unlink()
    if _mounted_by_us(directory):
        _libc().umount2(os.fsencode(directory), _MNT_DETACH)
    with contextlib.suppress(OSError):
        directory.rmdir()


def _mounted_by_us(directory: Path) -> bool:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        where, _, what = line.partition(" - ")
        if where.split()[4] == str(directory) and what.split()[:2] == ["bpf", _SOURCE]:
            return True
    return False


def require(maps: Iterable[Map], programs: Iterable[Program]) -> None:
    """Has the kernel take programs with maps like these, and forgets them. BpfError where it does not."""
    with contextlib.ExitStack() as stack:
        fds: dict[str, int] = {}
        for one in maps:
            with _doing(f"make map {one.name}"):
                fds[one.name] = _create(replace(one, entries=16))
            stack.callback(os.close, fds[one.name])
        for program in programs:
            os.close(load(program, fds))


def _create(one: Map) -> int:
    kind, flags = _KINDS[one.kind]
    head = struct.pack("=7I", kind, one.key, one.value, one.entries, flags, 0, 0)
    return _bpf(_MAP_CREATE, head + one.name.encode().ljust(16, b"\0"))


def load(program: Program, maps: Mapping[str, int]) -> int:
    """Has the kernel verify and compile a program; its descriptor. BpfError tells the verifier's last line."""
    code = encode(program.code, maps)
    held, place = _buffer(code)
    license_, license_at = _buffer(b"Apache-2.0\0")
    log, log_at = _buffer(bytes(_LOG_SIZE))

    def attribute(level: int) -> bytes:
        head = struct.pack("=2I2Q2IQ2I", _CGROUP_SOCK_ADDR, len(code) // 8, place, license_at, level,
                           _LOG_SIZE if level else 0, log_at if level else 0, 0, 0)  # fmt: skip
        return head + program.name.encode().ljust(16, b"\0") + struct.pack("=2I", 0, _HOOKS[program.hook])

    try:
        return _bpf(_PROG_LOAD, attribute(0))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.close(_bpf(_PROG_LOAD, attribute(1)))
        lines = [line for line in log.value.decode(errors="replace").splitlines() if not line.startswith("processed")]
        why = f"{error.strerror}{f' ({lines[-1]})' if lines else ''}"
        raise BpfError(error.errno or 0, f"bpf: this kernel does not take program {program.name}: {why}") from None
    finally:
        del held, license_


def _open_pin(pin: Path) -> int:
    """-1 where there is none."""
    path, place = _buffer(os.fsencode(pin) + b"\0")
    try:
        return _bpf(_GET, struct.pack("=Q2I", place, 0, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return -1
    finally:
        del path


def _pin(fd: int, pin: Path) -> None:
    path, place = _buffer(os.fsencode(pin) + b"\0")
    _bpf(_PIN, struct.pack("=Q2I", place, fd, 0))
    del path


def _info(fd: int, size: int) -> bytes:
    room, place = _buffer(bytes(size))
    _bpf(_INFO, struct.pack("=2IQ", fd, size, place))
    return room.raw


def _fits(fd: int, wanted: Map) -> bool:
    kind, _, key, value, entries = struct.unpack_from("=5I", _info(fd, 80))
    return (kind, key, value, entries) == (_KINDS[wanted.kind][0], wanted.key, wanted.value, wanted.entries)


def _cgroup_of(link: int) -> int:
    """The inode of a link's cgroup; 0 once that is gone."""
    return int(struct.unpack_from("=3I4xQ", _info(link, 32))[3])


def _require_bpf_fs(directory: Path) -> None:
    """Mounts one where there is none. The mount lives as long as this mount namespace, not as this process."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BpfError(error.errno or 0, f"cannot make {directory}: {error.strerror}") from None
    if _file_system(directory) == _BPF_FS_MAGIC:
        return
    if _libc().mount(_SOURCE.encode(), os.fsencode(directory), b"bpf", 0, b"mode=0700") != 0:
        code = ctypes.get_errno()
        raise BpfError(code, f"cannot mount a BPF file system at {directory}: {os.strerror(code)}")


def _require_cgroup2(cgroup: Path) -> None:
    if cgroup.exists() and _file_system(cgroup) != _CGROUP2_MAGIC:
        raise BpfError(errno.EINVAL, f"cgroup {cgroup} is none of version 2 (mount -t cgroup2 none DIRECTORY)")


def _file_system(path: Path) -> int:
    """Its magic number; 0 where there is no such path."""
    room = ctypes.create_string_buffer(256)
    if _libc().statfs(os.fsencode(path), room) != 0:
        return 0
    return int(struct.unpack_from("=q", room)[0])
