"""The userspace mode: Services' addresses are the node's own, and a socket listens at every address and port."""

import logging
from collections.abc import Iterable

from weft.addresses import Prefix
from weft.proxy import words
from weft.proxy.link import ServiceLink
from weft.proxy.model import Entry, Frontend
from weft.proxy.plan import Changes, Stale
from weft.proxy.userspace.choice import Place, listens
from weft.proxy.userspace.doors import KINDS, Sockets
from weft.proxy.userspace.serve import Server

_log = logging.getLogger(__name__)


class UserspaceMode:
    """`plan.Mode` over sockets of this process: what is open ends with it."""

    def __init__(self, link: ServiceLink, sockets: Sockets, pods: Iterable[Prefix]) -> None:
        self._link = link
        self._sockets = sockets
        self._pods = tuple(pods)
        self._entries: dict[Frontend, Entry] = {}
        self._servers: dict[Frontend, Server] = {}
        self._ending: set[Server] = set()
        """No longer listening, but with connections that are open still."""
        self._begun = False

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        """There is never a stale flow: the sockets of UDP flows are closed with their endpoint."""
        if complete:
            self._link.begin()
            self._begun = True
            changes = {**dict.fromkeys(self._entries), **changes}
        for at, entry in changes.items():
            if entry is None:
                self._entries.pop(at, None)
            else:
                self._entries[at] = entry
        self._hold()
        place = Place(self._pods, self._link.node)
        for at, entry in changes.items():
            self._serve(at, entry, place)
        self._tidy()
        return Stale()

    def _serve(self, at: Frontend, entry: Entry | None, place: Place) -> None:
        server = self._servers.get(at)
        if entry is None or not listens(entry):
            if server is not None:
                server.close()
                self._ending.add(self._servers.pop(at))
            return
        try:
            if server is not None:
                server.become(entry, place)
            elif at.protocol in KINDS:
                self._servers[at] = Server(at, entry, place, self._sockets, self._tidy)
            else:
                _log.warning("%s %s: mode userspace passes on TCP and UDP only", entry.service, words.place(at))
        except (OSError, ValueError) as error:
            # A process of the node may have the port already; all others go on.
            _log.warning("%s: cannot listen at %s: %s", entry.service, words.place(at), error)

    def _hold(self) -> None:
        """A service's address stays for as long as a connection to it is open."""
        wanted = {at.address for at, entry in self._entries.items() if entry.kind != "NodePort"}
        open_still = {one.at.address for one in (*self._servers.values(), *self._ending) if one.connections}
        self._link.hold(wanted | (open_still & self._link.held))

    def _tidy(self) -> None:
        """After a connection's end too."""
        over = {one for one in self._ending if not one.connections}
        if over:
            self._ending -= over
            try:
                self._hold()
            except OSError as error:
                _log.warning("addresses of ended Services stay for a while: %s", error)

    def intact(self) -> bool:
        return not self._begun or self._link.present()

    def watch(self) -> None:
        """`intact` is all there is."""

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        """Addresses that are nobody's are not held: packets to them go wherever the node's routes lead."""

    async def cleanup(self) -> None:
        self._stop()
        self._link.remove()
        self._begun = False

    def _stop(self) -> None:
        for server in self._servers.values():
            server.close()
        for server in (*self._servers.values(), *self._ending):
            for task in server.connections:
                task.cancel()
        self._servers, self._ending, self._entries = {}, set(), {}

    def close(self) -> None:
        self._stop()
        self._link.close()
