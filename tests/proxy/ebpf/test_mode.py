"""The mode over fakes."""

import asyncio

import pytest
from tests.proxy.ebpf.test_state import ENDS, WEB, entry

from weft.addresses import Prefix
from weft.kernel.fake.bpf import FakeBpf
from weft.kernel.fake.sockets import FakeSockets
from weft.kernel.nft import NftError, Watch
from weft.kernel.sockets import Peer
from weft.proxy.ebpf.maps import ORIGINS, SERVICES, frontend, origin, place
from weft.proxy.ebpf.mode import EbpfMode
from weft.proxy.plan import Changes, Stale

DNS = WEB._replace(protocol="udp", port=53)


class Beside:
    """A mode that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Changes, bool]] = []
        self.fails = False
        self.cleaned = False

    async def apply(self, changes: Changes, *, complete: bool = False) -> Stale:
        if self.fails:
            raise NftError("no")
        self.told.append((changes, complete))
        return Stale()

    def intact(self) -> bool:
        return True

    def watch(self) -> Watch | None:
        return None

    def set_service_ranges(self, ranges: tuple[Prefix, ...]) -> None:
        pass

    async def cleanup(self) -> None:
        self.cleaned = True

    def close(self) -> None:
        pass


def peer(cookie: int, number: int = 0, protocol: int = 17) -> Peer:
    wide = place(ENDS[number].address, ENDS[number].port)[:16]
    return Peer(protocol, wide, ENDS[number].port, cookie, b"")


async def asked(bpf: FakeBpf, one: Peer, at: bytes) -> None:
    bpf.put(ORIGINS, {origin(one.cookie, one.address, one.port): at})


async def test_the_mode_beside_is_told_the_same_plan_first() -> None:
    bpf, beside = FakeBpf(), Beside()
    mode = EbpfMode(bpf, beside, None, 1)
    assert not mode.intact()
    await mode.apply({WEB: entry()}, complete=True)
    assert mode.intact()
    assert beside.told == [({WEB: entry()}, True)]
    assert frontend(WEB) in bpf.maps[SERVICES]
    beside.fails = True
    with pytest.raises(NftError):
        await mode.apply({WEB: None})
    assert frontend(WEB) in bpf.maps[SERVICES]
    await mode.cleanup()
    assert beside.cleaned
    assert not bpf.programs


@pytest.mark.parametrize("restarts", [False, True])
async def test_only_udp_sockets_that_asked_for_the_frontend_are_destroyed(restarts: bool) -> None:
    through, direct, other, stream = peer(1), peer(2), peer(3, 1), peer(4, protocol=6)
    sockets, bpf = FakeSockets([through, direct, other, stream]), FakeBpf()
    mode = EbpfMode(bpf, Beside(), sockets, 1)
    before = {DNS: entry(), WEB: entry()}
    await mode.apply(before, complete=True)
    for one in (through, other):
        await asked(bpf, one, frontend(DNS))
    await asked(bpf, stream, frontend(WEB))
    after = {DNS: entry(cluster=ENDS[1:2]), WEB: entry(cluster=ENDS[1:2])}
    if restarts:
        mode = EbpfMode(bpf, Beside(), sockets, 1)
    await mode.apply(after, complete=restarts)
    async with asyncio.timeout(5):
        while through in sockets.open:
            await asyncio.sleep(0.001)
    assert sockets.open == [direct, other, stream]


async def test_where_asked_for_tcp_sockets_are_destroyed_too() -> None:
    stream, bpf = peer(4, protocol=6), FakeBpf()
    sockets = FakeSockets([stream])
    mode = EbpfMode(bpf, Beside(), sockets, 1, destroys=(6, 17))
    await mode.apply({WEB: entry()}, complete=True)
    await asked(bpf, stream, frontend(WEB))
    await mode.apply({WEB: None})
    async with asyncio.timeout(5):
        while sockets.open:
            await asyncio.sleep(0.001)
