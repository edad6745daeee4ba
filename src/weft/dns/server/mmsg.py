"""recvmmsg(2) and sendmmsg(2): many datagrams for one system call, each answered from the address it was sent to.

The slots lie side by side and are laid out once. A reply is written over its query, whose id, sender's address and
IP_PKTINFO are in place already (ip(7), ipv6(7)).
"""

import ctypes
import socket

SLOTS = 64
SLOT_SIZE = 2048
"""More than any question, and than any reply (1,232 bytes)."""
_MSG_DONTWAIT = 0x40


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iovec", ctypes.c_void_p),
        ("iovec_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg, _sendmmsg = _libc.recvmmsg, _libc.sendmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

_HEADER = ctypes.sizeof(_Mmsghdr)
_LENGTH_AT = _Mmsghdr.length.offset // 4
_CMSG_HEADER = 16
_PKTINFO = {
    # (level, option to receive it, type, bytes of its space, offset of the interface's index)
    socket.AF_INET: (socket.IPPROTO_IP, 8, 8, 32, _CMSG_HEADER),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 49, 50, 40, _CMSG_HEADER + 16),
}


class Batch:
    """Buffers for one socket. After `receive()`, the query of each slot begins at `at` in `data` and has
    `lengths[length_at]` bytes; write its reply there and the size to `sizes[size_at]`, then `send(first, last)`.
    `slots` has the tuples (slot, at, length_at, size_at)."""

    def __init__(self, sock: socket.socket) -> None:
        self._fd = sock.fileno()
        level, option, _, self._control_size, self._index_at = _PKTINFO[sock.family]
        sock.setsockopt(level, option, 1)
        self._v6 = sock.family == socket.AF_INET6
        self._name_size = 28 if self._v6 else 16
        self._names = bytearray(self._name_size * SLOTS)
        self._control = bytearray(self._control_size * SLOTS)
        self._control_words = memoryview(self._control).cast("I")
        self.data = memoryview(bytearray(SLOT_SIZE * SLOTS))
        self._receive_vectors, self._receive_headers = self._layout()
        self._send_vectors, self._send_headers = self._layout()
        self.lengths = memoryview(self._receive_headers).cast("B").cast("I")
        self.slots = tuple(
            (slot, slot * SLOT_SIZE, slot * (_HEADER // 4) + _LENGTH_AT, 2 * slot + 1) for slot in range(SLOTS)
        )
        self.sizes = memoryview(self._send_vectors).cast("B").cast("Q")
        self._receive_address = ctypes.addressof(self._receive_headers)
        self._send_address = ctypes.addressof(self._send_headers)
        self._index_words = tuple((slot * self._control_size + self._index_at) // 4 for slot in range(SLOTS))

    def _layout(self) -> tuple["ctypes.Array[_Iovec]", "ctypes.Array[_Mmsghdr]"]:
        base, names, control = (
            ctypes.addressof(ctypes.c_char.from_buffer(memory)) for memory in (self.data, self._names, self._control)
        )
        vectors, headers = (_Iovec * SLOTS)(), (_Mmsghdr * SLOTS)()
        for slot in range(SLOTS):
            vectors[slot] = _Iovec(base + slot * SLOT_SIZE, SLOT_SIZE)
            header = headers[slot].header
            header.name, header.name_length = names + slot * self._name_size, self._name_size
            header.iovec = ctypes.addressof(vectors) + slot * ctypes.sizeof(_Iovec)
            header.iovec_count = 1
            header.control, header.control_length = control + slot * self._control_size, self._control_size
        return vectors, headers

    def receive(self) -> int:
        """Number of queries that were waiting; 0 where none is."""
        count: int = _recvmmsg(self._fd, self._receive_address, SLOTS, _MSG_DONTWAIT, None)
        words = self._control_words
        for index in self._index_words[: max(count, 0)]:
            words[index] = 0  # let routing choose the interface of the reply
        return max(count, 0)

    def send(self, first: int, last: int) -> None:
        """Sends the replies of slots first … last - 1; one that the kernel refuses is left out, as a lost datagram."""
        while first < last:
            sent: int = _sendmmsg(self._fd, self._send_address + first * _HEADER, last - first, _MSG_DONTWAIT)
            first += max(sent, 1)

    def client(self, slot: int) -> tuple[str, int]:
        at = slot * self._name_size
        port = int.from_bytes(self._names[at + 2 : at + 4], "big")
        if self._v6:
            return socket.inet_ntop(socket.AF_INET6, self._names[at + 8 : at + 24]), port
        return socket.inet_ntop(socket.AF_INET, self._names[at + 4 : at + 8]), port

    def envelope(self, slot: int) -> "Envelope":
        """What is needed to answer this slot later."""
        at, control = slot * self._name_size, slot * self._control_size
        host, port = self.client(slot)
        level, _, type_, _, _ = _PKTINFO[socket.AF_INET6 if self._v6 else socket.AF_INET]
        size = 20 if self._v6 else 12
        info = bytes(self._control[control + _CMSG_HEADER : control + _CMSG_HEADER + size])
        if not self._v6:
            return (host, port), [(level, type_, info)]
        scope = int.from_bytes(self._names[at + 24 : at + 28], "little")
        return (host, port, 0, scope), [(level, type_, info)]


Envelope = tuple[tuple[str, int] | tuple[str, int, int, int], list[tuple[int, int, bytes]]]
