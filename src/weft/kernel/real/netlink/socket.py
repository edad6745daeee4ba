"""One rtnetlink socket: batches of requests, dumps. Source: netlink(7), Documentation/userspace-api/netlink."""

import errno
import os
import socket
from collections.abc import Sequence
from typing import NamedTuple

from weft.kernel.errors import KernelError
from weft.kernel.real import netns as namespaces
from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.message import Message, error, message, messages

_BATCH = 128
_RECEIVE = 1 << 17
_TIMEOUT = 30.0


class Request(NamedTuple):
    kind: int
    flags: int
    body: bytes


class RtnetlinkSocket:
    """Opened in the namespace at `netns` ("" is the calling thread's) and bound to it for ever."""

    def __init__(self, netns: str | int = "") -> None:
        if netns == "":
            self._socket = self._open()
        else:
            with namespaces.entered(netns):
                self._socket = self._open()
        self._sequence = 0

    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        for option in (c.NETLINK_CAP_ACK, c.NETLINK_EXT_ACK, c.NETLINK_GET_STRICT_CHK):
            made.setsockopt(c.SOL_NETLINK, option, 1)
        made.settimeout(_TIMEOUT)
        made.bind((0, 0))
        return made

    def close(self) -> None:
        self._socket.close()

    def transact(self, requests: Sequence[Request]) -> list[tuple[int, str]]:
        """Sends all; returns for each its errno (0: done) and the kernel's words."""
        results = [(0, "")] * len(requests)
        for start in range(0, len(requests), _BATCH):
            self._transact(requests, start, min(start + _BATCH, len(requests)), results)
        return results

    def _transact(self, requests: Sequence[Request], start: int, end: int, results: list[tuple[int, str]]) -> None:
        first = self._sequence + 1
        self._sequence += end - start
        # Failures always answer; so asking the last one alone to answer tells that all are done.
        self._socket.send(
            b"".join(
                message(
                    request.kind,
                    request.flags | c.NLM_F_REQUEST | (c.NLM_F_ACK if number == end - 1 else 0),
                    first + number - start,
                    request.body,
                )
                for number, request in enumerate(requests[start:end], start)
            )
        )
        while True:
            for answer in self._receive():
                if answer.sequence < first:
                    continue
                results[start + answer.sequence - first] = error(answer)
                if answer.sequence == self._sequence:
                    return

    def ask(self, kind: int, body: bytes, what: str) -> bytes:
        """The body of the one answer to a question. Raises KernelError."""
        self._sequence += 1
        self._socket.send(message(kind, c.NLM_F_REQUEST, self._sequence, body))
        while True:
            for answer in self._receive():
                if answer.sequence != self._sequence:
                    continue
                if answer.kind == c.NLMSG_ERROR:
                    code, detail = error(answer)
                    raise KernelError(code, what, detail)
                return answer.body

    def dump(self, kind: int, body: bytes, what: str) -> list[bytes]:
        """The bodies of all objects of a kind; asks again when they changed meanwhile. Raises KernelError."""
        for _ in range(5):
            self._sequence += 1
            self._socket.send(message(kind, c.NLM_F_REQUEST | c.NLM_F_DUMP, self._sequence, body))
            found, whole = self._read_dump(what)
            if whole:
                break
        return found

    def _read_dump(self, what: str) -> tuple[list[bytes], bool]:
        found: list[bytes] = []
        whole = True
        while True:
            for answer in self._receive():
                if answer.sequence != self._sequence:
                    continue
                whole = whole and not answer.flags & c.NLM_F_DUMP_INTR
                if answer.kind == c.NLMSG_DONE:
                    return found, whole
                if answer.kind == c.NLMSG_ERROR:
                    code, detail = error(answer)
                    raise KernelError(code, what, detail)
                found.append(answer.body)

    def _receive(self) -> list[Message]:
        try:
            return list(messages(self._socket.recv(_RECEIVE)))
        except TimeoutError:
            raise KernelError(errno.ETIMEDOUT, "get an answer of the kernel by netlink") from None
        except OSError as failure:
            raise KernelError(failure.errno or 0, f"read from netlink: {os.strerror(failure.errno or 0)}") from None
