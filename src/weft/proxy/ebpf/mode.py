"""The ebpf mode: keeps the maps, attaches the programs, and has nftables beside it for all that is no local socket."""

import asyncio
import logging
from collections.abc import Collection

from weft.addresses import Prefix
from weft.kernel.bpf import Bpf
from weft.kernel.nft import Watch
from weft.kernel.sockets import Sockets
from weft.proxy.ebpf.maps import ALL, ORIGINS, PROGRAMMED, origin
from weft.proxy.ebpf.programs import programs
from weft.proxy.ebpf.state import MapState, Step
from weft.proxy.plan import Changes, Mode, Stale

_log = logging.getLogger(__name__)
_PORT = slice(16, 18)


class EbpfMode:
    """`plan.Mode` over BPF, and over `beside` for the same plan.

    `destroys`: protocols (as in the IP header) whose sockets are destroyed when their endpoint goes. By default UDP's
    only: TCP notices by itself, and a connection may be about to finish with an endpoint that drains.
    """

    def __init__(
        self, bpf: Bpf, beside: Mode, sockets: Sockets | None, node_cookie: int, destroys: Collection[int] = (17,)
    ) -> None:
        self._bpf = bpf
        self._beside = beside
        self._sockets = sockets
        self._programs = programs(node_cookie)
        self._destroys = frozenset(destroys)
        self._state = MapState()
        self._destroying: set[asyncio.Task[None]] = set()

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        """nftables first: a new Service then works for all, and a socket that BPF leaves alone finds its way."""
        stale = await self._beside.apply(changes, complete=complete)
        if complete:
            self._bpf.open(ALL)
            self._state.begin({one: self._bpf.elements(one) for one in PROGRAMMED})
        step = self._state.step(changes, complete=complete)
        for one, elements in step.put:
            self._bpf.put(one, elements)
        for one, keys in step.remove:
            self._bpf.remove(one, keys)
        if complete:
            self._bpf.attach(self._programs)
            _log.info("attached BPF programs: frontends=%d", len(self._state))
        self._part(step)
        return stale

    def _part(self, step: Step) -> None:
        lost = {key: fronts for key, fronts in step.lost.items() if key[0] in self._destroys}
        if lost and self._sockets is not None:
            task = asyncio.create_task(asyncio.to_thread(self._destroy, self._sockets, lost))
            self._destroying.add(task)
            task.add_done_callback(self._destroying.discard)

    def _destroy(self, sockets: Sockets, lost: dict[tuple[int, bytes], set[bytes]]) -> None:
        """Only sockets that asked for such a frontend, not those that went to the endpoint by its own address."""
        try:
            for protocol in {protocol for protocol, _ in lost}:
                ends = {(end[:16], int.from_bytes(end[_PORT], "big")): end for held, end in lost if held == protocol}
                doomed = []
                for peer in sockets.connected(protocol, ends.keys()):
                    asked = self._bpf.get(ORIGINS, origin(peer.cookie, peer.address, peer.port))
                    if asked in lost[protocol, ends[peer.address, peer.port]]:
                        doomed.append(peer)
                sockets.destroy(doomed)
                if doomed:
                    _log.info("destroyed sockets of removed endpoints: protocol=%d sockets=%d", protocol, len(doomed))
        except OSError as error:
            _log.warning("sockets of removed endpoints stay until they time out: %s", error)

    def intact(self) -> bool:
        return self._beside.intact() and self._bpf.attached() >= {one.hook for one in self._programs}

    def watch(self) -> Watch | None:
        return self._beside.watch()

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        self._beside.set_service_ranges(ranges)

    async def cleanup(self) -> None:
        self._bpf.clear()
        await self._beside.cleanup()

    def close(self) -> None:
        self._bpf.close()
        if self._sockets is not None:
            self._sockets.close()
        self._beside.close()
