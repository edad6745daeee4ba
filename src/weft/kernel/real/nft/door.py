"""nftables of one network namespace: libnftables for what is written once, netlink for elements."""

import errno
import os
import socket
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from weft.kernel.nft import NftError, TableState
from weft.kernel.real import netns as netns_of
from weft.kernel.real.netlink.message import Message, error, messages
from weft.kernel.real.nft import wire
from weft.kernel.real.nft.library import Library
from weft.kernel.real.nft.watch import ForeignChanges
from weft.kernel.state.nft import Datum, ElementChange, Set, Table, Transaction

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_BUFFER = 64 << 20


class RealNft:
    """`kernel.nft.Nft` in the calling thread's namespace, or in `netns` (a name or path of one)."""

    def __init__(self, netns: str = "") -> None:
        self._netns = netns
        self._library, self._socket = netns_of.run_in(netns, _open) if netns else _open()

    def close(self) -> None:
        self._library.close()
        self._socket.close()

    def run(self, commands: str) -> str:
        """Commands as nft(8) reads them, and what they print."""
        return self._library.run(commands)

    def apply(self, transaction: Transaction) -> None:
        changes = [change for change in transaction.changes if isinstance(change, ElementChange)]
        if len(changes) == len(transaction.changes) and not any(change.set.interval for change in changes):
            self._apply_elements(changes)
        else:
            self._library.run(transaction.render())

    def _apply_elements(self, changes: list[ElementChange]) -> None:
        if not changes:
            return
        data, last = wire.batch((change.verb == "add", change.set, change.elements) for change in changes)
        self._socket.send(data)
        # The kernel works the batch off inside send(): its answers are all there now.
        for answer in self._answers():
            code, detail = error(answer)
            if code:
                where = ", ".join(dict.fromkeys(f"{change.verb} element {change.set.text}" for change in changes))
                raise NftError(f"nftables: {os.strerror(code)}{f' ({detail})' if detail else ''}: {where}", code)
            if answer.sequence == last:
                return
        raise NftError("nftables: the kernel did not acknowledge a batch of elements")

    def _answers(self) -> list[Message]:
        found: list[Message] = []
        while True:
            try:
                found += messages(self._socket.recv(1 << 18, socket.MSG_DONTWAIT))
            except BlockingIOError:
                # An error must be seen before the acknowledgement of a later message.
                return sorted(found, key=lambda answer: error(answer)[0] == 0)

    def _ask(self, request: bytes) -> list[bytes]:
        """Bodies of all answers to one request. NftError carries the errno."""
        self._socket.send(request)
        found: list[bytes] = []
        while True:
            for answer in messages(self._socket.recv(1 << 18)):
                if answer.kind == _NLMSG_DONE:
                    return found
                if answer.kind == _NLMSG_ERROR:
                    code, _detail = error(answer)
                    raise NftError(f"nftables: {os.strerror(code)}", code)
                found.append(answer.body)
                if not answer.flags & 0x2:
                    return found

    def observe(self, table: Table) -> TableState | None:
        try:
            (body,) = self._ask(wire.get_table(table.family, table.name))
        except NftError as refused:
            if refused.errno == errno.ENOENT:
                return None
            raise
        return TableState(
            wire.table_comment(body),
            self._names(wire.GET_CHAIN, table, 3),
            self._names(wire.GET_SET, table, 2),
        )

    def _names(self, kind: int, table: Table, name_attribute: int) -> frozenset[str]:
        pairs = (wire.table_and_name(body, name_attribute) for body in self._ask(wire.dump_names(kind, table.family)))
        return frozenset(name for of, name in pairs if of == table.name and not name.startswith("__"))

    def elements(self, of: Set) -> Mapping[bytes, Datum]:
        return {key: datum for body in self._ask(wire.dump_elements(of)) for key, datum in wire.decode_elements(body)}

    def rules(self, table: Table) -> Mapping[str, str]:
        found: dict[str, Any] = {}
        for body in self._ask(wire.dump_rules(table.family, table.name)):
            name, chain, does = wire.decode_rule(body)
            if name == table.name:
                found.setdefault(chain, sha256()).update(does)
        return {chain: digest.hexdigest() for chain, digest in found.items()}

    def watch(self, table: str) -> ForeignChanges:
        return ForeignChanges(table, lambda: {self._socket.getsockname()[0], self._library.port()}, self._netns)

    def show(self, table: Table) -> str:
        return self._library.run(f"list table {table.text}")


def _open() -> tuple[Library, socket.socket]:
    library = Library()
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, wire.NETLINK_NETFILTER)
    except OSError as refused:
        library.close()
        raise NftError(f"cannot open netlink for nftables: {refused.strerror}") from None
    netlink.bind((0, 0))
    for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
        try:
            netlink.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        except PermissionError:
            # Without CAP_NET_ADMIN nothing can be applied anyway; the kernel will say so in its place.
            pass
    return library, netlink
