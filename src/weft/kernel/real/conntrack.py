"""ctnetlink: the little of it that forgets flows. Source: linux/netfilter/nfnetlink_conntrack.h.

A few translations are forgotten by a filter that the kernel applies (6.11 and later); for many, and by older kernels,
flows are listed once (by a filter, too: 5.8 and later) and those that match are deleted one by one, since the kernel
walks its whole table for each filter.
"""

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator

from weft.kernel.conntrack import Translation
from weft.kernel.real import netns as netns_of
from weft.kernel.real.netlink.message import attribute, attributes, error, message, messages, nested, u32

_NETLINK_NETFILTER = 12
_NEW, _GET, _DELETE = (1 << 8 | n for n in range(3))
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_ORIGINAL, _REPLY, _FILTER = 1, 2, 25
_FILTER_ORIGINAL, _FILTER_REPLY = 1, 2
_IP_SRC, _IP_DST, _PROTO_NUM, _PROTO_SRC, _PROTO_DST = 1 << 0, 1 << 1, 1 << 3, 1 << 4, 1 << 5
_FEW = 16


def _head(width: int) -> bytes:
    # Version 1 makes the kernel heed the family when many flows are deleted.
    return struct.pack(">BBH", socket.AF_INET if width == 4 else socket.AF_INET6, 1, 0)


def _tuple(kind: int, protocol: int, *, source: tuple[bytes, int] | None, target: tuple[bytes, int] | None) -> bytes:
    ip, ports = b"", attribute(1, bytes((protocol,)))
    for number, end in ((1, source), (2, target)):
        if end is not None:
            ip += attribute(number if len(end[0]) == 4 else number + 2, end[0])
            ports += attribute(number + 1, struct.pack(">H", end[1]))
    return nested(kind, nested(1, ip), nested(2, ports))


def deletion(one: Translation) -> bytes:
    """Body that deletes every flow of a translation."""
    return (
        _head(len(one.address))
        + _tuple(_ORIGINAL, one.protocol, source=None, target=(one.address, one.port))
        + _tuple(_REPLY, one.protocol, source=(one.end_address, one.end_port), target=None)
        + nested(
            _FILTER,
            u32(_FILTER_ORIGINAL, _IP_DST | _PROTO_NUM | _PROTO_DST),
            u32(_FILTER_REPLY, _IP_SRC | _PROTO_NUM | _PROTO_SRC),
        )
    )


def listing(width: int, protocol: int) -> bytes:
    """Body that asks for all flows of one protocol."""
    wanted = nested(_ORIGINAL, nested(2, attribute(1, bytes((protocol,)))))
    return _head(width) + wanted + nested(_FILTER, u32(_FILTER_ORIGINAL, _PROTO_NUM), u32(_FILTER_REPLY, 0))


def translation_of(body: bytes) -> Translation | None:
    """What a NEW body is a flow of; None for what has no ports."""
    found = attributes(body, 4)
    original, reply = _ends(found[_ORIGINAL]), _ends(found[_REPLY])
    if original is None or reply is None:
        return None
    (protocol, _, target), (_, source, _) = original, reply
    return Translation(protocol, *target, *source)


def original_tuple(body: bytes) -> bytes:
    """Body that deletes the one flow of a NEW body."""
    return body[:4] + attribute(_ORIGINAL | 0x8000, attributes(body, 4)[_ORIGINAL])


def _ends(data: bytes) -> tuple[int, tuple[bytes, int], tuple[bytes, int]] | None:
    parts = attributes(data)
    ip, proto = attributes(parts[1]), attributes(parts[2])
    if 2 not in proto or 3 not in proto:
        return None
    ports = [struct.unpack(">H", proto[number])[0] for number in (2, 3)]
    addresses = [ip.get(number) or ip[number + 2] for number in (1, 2)]
    return proto[1][0], (addresses[0], ports[0]), (addresses[1], ports[1])


class RealConntrack:
    """`kernel.conntrack.Conntrack` of the calling thread's network namespace, or of `netns`."""

    def __init__(self, netns: str = "") -> None:
        self._socket = netns_of.run_in(netns, _open) if netns else _open()
        self._deletes_by_filter = True

    def close(self) -> None:
        self._socket.close()

    def forget(self, translations: Collection[Translation]) -> None:
        if not (len(translations) <= _FEW and self._forget_by_filter(translations)):
            self._forget_one_by_one(translations)

    def _forget_by_filter(self, translations: Collection[Translation]) -> bool:
        """False where the kernel does not know how: it takes the filter for an incomplete flow."""
        if self._deletes_by_filter:
            try:
                for one in translations:
                    self._delete(deletion(one))
            except OSError as failure:
                if failure.errno != errno.EINVAL:
                    raise
                self._deletes_by_filter = False
        return self._deletes_by_filter

    def _forget_one_by_one(self, translations: Collection[Translation]) -> None:
        wanted = set(translations)
        for width, protocol in {(len(one.address), one.protocol) for one in wanted}:
            doomed = [body for body in self._list(width, protocol) if translation_of(body) in wanted]
            for body in doomed:
                self._delete(original_tuple(body))

    def _delete(self, body: bytes) -> None:
        self._socket.send(message(_DELETE, _REQUEST | _ACK, 1, body))
        for answer in messages(self._socket.recv(1 << 16)):
            code, _ = error(answer)
            # A flow may end on its own meanwhile.
            if code not in (0, errno.ENOENT):
                raise OSError(code, f"conntrack: cannot delete flows: {os.strerror(code)}")

    def _list(self, width: int, protocol: int) -> Iterator[bytes]:
        self._socket.send(message(_GET, _REQUEST | _DUMP, 1, listing(width, protocol)))
        while True:
            for answer in messages(self._socket.recv(1 << 18)):
                if answer.kind == _NLMSG_DONE:
                    return
                if answer.kind == _NLMSG_ERROR:
                    code, _ = error(answer)
                    raise OSError(code, f"conntrack: cannot list flows: {os.strerror(code)}")
                yield answer.body


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    made.bind((0, 0))
    return made
