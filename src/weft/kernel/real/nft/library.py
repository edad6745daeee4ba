"""libnftables in this process, by ctypes (libnftables(3)): commands as text in, text or one clear error out."""

import ctypes
import functools
import os
import re
import socket
from typing import Any

from weft.kernel.nft import NftError

_REMEDY = "install the Debian package libnftables1"


@functools.cache
def _load() -> Any:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError:
        raise NftError(f"cannot load libnftables.so.1: {_REMEDY}") from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    return library


class Library:
    """One context. It talks to the network namespace of the thread that made it, whichever thread runs it later:
    its netlink socket is opened with it.
    """

    def __init__(self) -> None:
        self._library = _load()
        before = _descriptors()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftError("cannot open netlink for nftables: the kernel lacks nf_tables (CONFIG_NF_TABLES)")
        self._descriptors = _descriptors() - before
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """What the commands print. NftError: nothing of them was done."""
        status = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context).decode()
        complaint = self._library.nft_ctx_get_error_buffer(self._context).decode()
        if status:
            raise NftError(f"nftables: {explain(complaint, commands)}")
        return str(output)

    def port(self) -> int:
        """The netlink port that the kernel knows us by, or 0 before the first command. The library does not tell it."""
        for number in self._descriptors:
            try:
                with socket.socket(fileno=os.dup(number)) as copy:
                    if copy.family == socket.AF_NETLINK:
                        return int(copy.getsockname()[0])
            except OSError:
                # Another thread's, and closed meanwhile.
                continue
        return 0

    def close(self) -> None:
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def _descriptors() -> set[int]:
    found = set()
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            os.fstat(number)
        except OSError:
            # That of the listing itself.
            continue
        found.add(number)
    return found


def explain(complaint: str, commands: str) -> str:
    """One line of what libnftables wrote (`<buffer>:3:5-9: Error: …`): the first error, and the command it is about."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip(" ^~\t")]
    found = next((at for at, line in enumerate(lines) if "Error:" in line), None)
    if found is None:
        return " ".join(lines) or "failed without saying why"
    reason = lines[found].partition("Error:")[2].strip()
    place = re.search(r":(\d+):\d+", lines[found])
    given = commands.splitlines()
    line = int(place[1]) if place else 0
    command = given[line - 1][:200] if 0 < line <= len(given) else ""
    if "Operation not permitted" in reason:
        reason += " (CAP_NET_ADMIN is needed: run as root)"
    if "Operation not supported" in reason or "Protocol not supported" in reason:
        reason += " (this kernel lacks a part of nf_tables)"
    return f"{reason}: {command}" if command else reason
