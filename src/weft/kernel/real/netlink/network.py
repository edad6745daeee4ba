"""`kernel.port.Network` over rtnetlink: one socket in one namespace."""

import contextlib
import errno
from collections.abc import Iterable, Iterator, Sequence

from weft.kernel.errors import KernelError
from weft.kernel.real import netns as namespaces
from weft.kernel.real import sysctl
from weft.kernel.real.netlink import addresses, links, neighbours, routes
from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.socket import Request, RtnetlinkSocket
from weft.kernel.state.address import LinkAddress
from weft.kernel.state.change import Add, Change, Regroup, Remove, RemoveGroup, Replace
from weft.kernel.state.link import Link, Veth
from weft.kernel.state.neighbour import Forwarding, Neighbour
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import Route
from weft.kernel.state.sysctl import Sysctl

_ADD = c.NLM_F_CREATE | c.NLM_F_EXCL
_REPLACE = c.NLM_F_CREATE | c.NLM_F_REPLACE


class NetlinkNetwork:
    """`netns` is a name, path or descriptor; "" is the namespace of the calling thread, now and ever after.

    A descriptor is borrowed: keep it open while changes are applied that touch system controls.
    """

    def __init__(self, netns: str | int = "") -> None:
        self._netns = netns
        self._socket = RtnetlinkSocket(netns)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "NetlinkNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def observe(
        self,
        *,
        links: bool = True,
        addresses: bool = True,
        routes: bool = True,
        neighbours: bool = True,
        route_protocol: int = 0,
        sysctls: Iterable[str] = (),
    ) -> NetworkState:
        bodies = self._socket.dump(c.RTM_GETLINK, _links.dump(), "list links")
        names = {_links.index_of(body): _links.name_of(body) for body in bodies}
        entries = list(self._neighbours(names)) if neighbours else []
        return NetworkState(
            links=tuple(_links.decode(body, names) for body in bodies) if links else (),
            addresses=tuple(self._addresses(names)) if addresses else (),
            routes=tuple(self._routes(names, route_protocol)) if routes else (),
            neighbours=tuple(entry for entry in entries if isinstance(entry, Neighbour)),
            forwarding=tuple(entry for entry in entries if isinstance(entry, Forwarding)),
            sysctls=tuple(self._sysctls(sysctls)),
        )

    def link(self, name: str) -> Link | None:
        """One link by its name, without a dump; its master's name is not looked up. Raises KernelError."""
        try:
            return _links.decode(self._socket.ask(c.RTM_GETLINK, _links.named(name), f"find link {name}"), {})
        except KernelError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def apply(self, changes: Sequence[Change]) -> tuple[KernelError, ...]:
        for change in changes:
            if not isinstance(change, RemoveGroup | Regroup | Remove):
                change.item.validate()
        return _Batch(self._socket, self._netns).apply(changes)

    def _addresses(self, names: dict[int, str]) -> Iterator[LinkAddress]:
        for body in self._socket.dump(c.RTM_GETADDR, addresses.dump(), "list addresses"):
            if found := addresses.decode(body, names):
                yield found

    def _routes(self, names: dict[int, str], protocol: int) -> Iterator[Route]:
        for family in (c.AF_INET, c.AF_INET6):
            for body in self._socket.dump(c.RTM_GETROUTE, routes.dump(family, protocol), "list routes"):
                if found := routes.decode(body, names):
                    yield found

    def _neighbours(self, names: dict[int, str]) -> Iterator[Neighbour | Forwarding]:
        for family in (c.AF_INET, c.AF_INET6, c.AF_BRIDGE):
            for body in self._socket.dump(c.RTM_GETNEIGH, neighbours.dump(family), "list neighbours"):
                if found := neighbours.decode(body, names):
                    yield found

    def _sysctls(self, names: Iterable[str]) -> list[Sysctl]:
        with _inside(self._netns):
            return [found for name in names if (found := sysctl.read(name))]


_links = links


def _inside(netns: str | int) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if netns == "" else namespaces.entered(netns)


class _Batch:
    """Collects requests until one needs the index of a link that an earlier one makes."""

    def __init__(self, socket: RtnetlinkSocket, netns: str | int) -> None:
        self._socket = socket
        self._netns = netns
        self._indexes: dict[str, int] = {}
        self._pending: list[tuple[Change, Request]] = []
        self._failures: list[KernelError] = []

    def apply(self, changes: Sequence[Change]) -> tuple[KernelError, ...]:
        with contextlib.ExitStack() as borrowed:
            for change in changes:
                try:
                    if isinstance(change, Replace) and isinstance(change.item, Sysctl):
                        self._flush()
                        self._write(change.item)
                    else:
                        self._pending.extend((change, request) for request in self._requests(change, borrowed))
                except KernelError as error:
                    self._failures.append(KernelError(error.errno or 0, change, str(error)))
            self._flush()
        return tuple(self._failures)

    def _write(self, item: Sysctl) -> None:
        with _inside(self._netns):
            if failure := sysctl.write(item):
                self._failures.append(failure)

    def _flush(self) -> None:
        results = self._socket.transact([request for _, request in self._pending])
        for (change, _), (code, detail) in zip(self._pending, results, strict=True):
            if code:
                self._failures.append(KernelError(code, change, detail))
        self._pending.clear()

    def _index(self, name: str) -> int:
        if name not in self._indexes:
            self._flush()
            body = self._socket.ask(c.RTM_GETLINK, links.named(name), f"find link {name}")
            self._indexes[name] = links.index_of(body)
        return self._indexes[name]

    def _requests(self, change: Change, borrowed: contextlib.ExitStack) -> list[Request]:
        match change:
            case Add(item=Link() as link):
                return self._add_link(link, borrowed)
            case Replace(item=Link() as link):
                return [Request(c.RTM_NEWLINK, 0, links.change(link, self._index)), *self._finish(link)]
            case Remove(item=Link(name=name)):
                self._indexes.pop(name, None)
                return [Request(c.RTM_DELLINK, 0, links.deletion(name))]
            case RemoveGroup(group=group):
                self._indexes.clear()
                return [Request(c.RTM_DELLINK, 0, links.group_deletion(group))]
            case Regroup(link=name, group=group):
                return [Request(c.RTM_NEWLINK, 0, links.regroup(name, group))]
            case Add(item=item) | Replace(item=item):
                flags = _ADD if isinstance(change, Add) else _REPLACE
                return [self._request(item, flags, remove=False)]
            case Remove(item=item):
                return [self._request(item, 0, remove=True)]

    def _add_link(self, link: Link, borrowed: contextlib.ExitStack) -> list[Request]:
        self._indexes.pop(link.name, None)
        target = None
        if isinstance(link.kind, Veth) and link.kind.netns:
            target = borrowed.enter_context(namespaces.opened(link.kind.netns))
        return [Request(c.RTM_NEWLINK, _ADD, links.add(link, self._index, target)), *self._finish(link)]

    @staticmethod
    def _finish(link: Link) -> list[Request]:
        body = links.finish(link)
        return [Request(c.RTM_NEWLINK, 0, body)] if body else []

    def _request(self, item: object, flags: int, *, remove: bool) -> Request:
        match item:
            case LinkAddress():
                kind = c.RTM_DELADDR if remove else c.RTM_NEWADDR
                return Request(kind, flags, addresses.encode(item, self._index))
            case Route():
                encode = routes.deletion if remove else routes.encode
                return Request(c.RTM_DELROUTE if remove else c.RTM_NEWROUTE, flags, encode(item, self._index))
            case Neighbour() | Forwarding():
                kind = c.RTM_DELNEIGH if remove else c.RTM_NEWNEIGH
                return Request(kind, flags, neighbours.encode(item, self._index))
        raise TypeError(f"{item} cannot be changed by netlink")
