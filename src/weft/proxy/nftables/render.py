"""Entry ⇄ the elements that make it true. Pure, and invertible: what the kernel holds tells what was programmed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import pack
from sys import byteorder

from weft.addresses import Prefix
from weft.kernel.state.nft import DROP, PROTOCOLS, Datum, Verdict, goto, jump
from weft.proxy.endpoints import Endpoint
from weft.proxy.model import Entry, Frontend
from weft.proxy.nftables import chains
from weft.proxy.nftables.layout import PROTOCOLS as LAYOUT_PROTOCOLS
from weft.proxy.nftables.layout import Layout

REJECT = goto("reject-caller")
MASQUERADE, MASQUERADE_HOST = goto("masquerade-caller"), goto("masquerade-host")
_NAMES = {number: name for name, number in PROTOCOLS.items()}


@dataclass(frozen=True, slots=True)
class Programmed:
    """What the kernel holds for one Frontend. Endpoints are `address . port` as map data, by slot."""

    verdict: Verdict | None = None
    slots: tuple[bytes, ...] = ()
    local_slots: tuple[bytes, ...] = ()
    source: Verdict | None = None
    sticky: Verdict | None = None
    refused: Verdict | None = None
    sources: tuple[Prefix, ...] = ()
    cluster_ip: bool = False
    hairpin: frozenset[bytes] = frozenset()
    """Addresses of endpoints on this node."""


NOTHING = Programmed()


def key_of(at: Frontend) -> bytes:
    return pack(f">{len(at.address)}sBxxxHxx", at.address, PROTOCOLS[at.protocol], at.port)


def frontend_of(key: bytes) -> Frontend:
    width = len(key) - 8
    return Frontend(key[:width], _NAMES[key[width]], int.from_bytes(key[width + 4 : width + 6], "big"))


def place_of(key: bytes) -> bytes:
    """Address and port, which is the key in the maps of one protocol."""
    return key[:-8] + key[-4:]


def protocol_of(key: bytes) -> str:
    return _NAMES[key[-8]]


def target(end: Endpoint) -> bytes:
    return pack(f">{len(end.address)}sHxx", end.address, end.port)


def program(protocol: str, entry: Entry, before: Programmed) -> Programmed:
    """What the kernel must hold for `entry`; endpoints that stay keep their slots, so that little changes."""
    bound = entry.local is not None and not entry.external
    cluster = seat(before.slots, map(target, (entry.local if bound else entry.cluster) or ()))
    local = seat(before.local_slots, map(target, () if bound else entry.local or ()))
    if entry.local is None or bound:
        name = chains.pick(protocol, len(cluster)) if cluster else ""
    else:
        name = chains.local_policy(protocol, len(cluster), len(local)) if cluster or local else ""
    if name and entry.affinity:
        name = chains.sticky(name)
    source = None
    if entry.external and name:
        source = MASQUERADE if entry.local is None else MASQUERADE_HOST
    return Programmed(
        verdict=goto(name) if name else None,
        slots=cluster,
        local_slots=local,
        source=source,
        sticky=jump(chains.record(entry.affinity)) if name and entry.affinity else None,
        refused={"": None, "reject": REJECT, "drop": DROP}[entry.absent],
        sources=entry.sources,
        cluster_ip=entry.kind == "ClusterIP",
        hairpin=frozenset(end.address for ends in (entry.cluster, entry.local or ()) for end in ends if end.local),
    )


def seat(before: Sequence[bytes], wanted: Iterable[bytes]) -> tuple[bytes, ...]:
    """Puts every wanted endpoint into a slot, without holes and with as few moves as there are endpoints gone."""
    missing = dict.fromkeys(wanted)
    if not before:
        return tuple(missing)
    count, seats = len(missing), list[bytes | None](before)
    for at, held in enumerate(seats):
        if held in missing:
            del missing[held]
        else:
            seats[at] = None
    spare = [*missing, *(held for held in reversed(seats[count:]) if held is not None)]
    seats = seats[:count] + [None] * (count - len(seats))
    free = iter(spare)
    return tuple(held if held is not None else next(free) for held in seats)


def elements(layout: Layout, key: bytes, held: Programmed) -> dict[str, dict[bytes, Datum]]:
    """The elements of one Frontend by the name of their set, but for `cluster-ips` and `hairpin`, which are shared."""
    found: dict[str, dict[bytes, Datum]] = {}
    if held.verdict:
        found["services"] = {key: held.verdict}
    if held.slots or held.local_slots:
        found[f"endpoints-{protocol_of(key)}"] = dict(_slots(place_of(key), held))
    if held.source:
        found["sources"] = {key: held.source}
    if held.sticky:
        found["sticky"] = {key: held.sticky}
    if held.refused:
        found["refused"] = {key: held.refused}
    if held.sources:
        at = frontend_of(key)
        found["guarded"] = {key: None}
        pack_allowed = layout.allowed.pack
        found["allowed"] = {pack_allowed(at.address, at.protocol, at.port, one): None for one in held.sources}
    return found


def _slots(place: bytes, held: Programmed) -> Iterator[tuple[bytes, Datum]]:
    """`place` is address and port: each protocol has a map of its own."""
    for offset, slots in ((0, held.slots), (chains.LOCAL, held.local_slots)):
        for number, end in enumerate(slots, offset):
            yield place + pack("=I", number), end


def shared(key: bytes, held: Programmed) -> Iterator[tuple[str, bytes]]:
    """Elements that several Frontends may need at once, by the name of their set."""
    if held.cluster_ip:
        yield "cluster-ips", key[:-8]
    for address in held.hairpin:
        yield "hairpin", address + address


def observed(maps: Mapping[str, Mapping[bytes, Datum]]) -> dict[bytes, Programmed]:
    """What the elements of the kernel say was programmed for each key, but for what several Frontends share and for
    `sources`: `allowed` cannot be read back. ValueError where it is not what we could have left.
    """
    slots: dict[bytes, dict[int, bytes]] = {}
    for protocol in LAYOUT_PROTOCOLS:
        middle = bytes((PROTOCOLS[protocol], 0, 0, 0))
        for place, end in maps[f"endpoints-{protocol}"].items():
            assert isinstance(end, bytes)
            key = place[:-8] + middle + place[-8:-4]
            slots.setdefault(key, {})[int.from_bytes(place[-4:], byteorder)] = end
    every = {*slots, *(key for name in ("services", "sources", "sticky", "refused") for key in maps[name])}
    return {
        key: Programmed(
            verdict=_verdict(maps["services"].get(key)),
            slots=_in_order(slots.get(key, {}), 0),
            local_slots=_in_order(slots.get(key, {}), chains.LOCAL),
            source=_verdict(maps["sources"].get(key)),
            sticky=_verdict(maps["sticky"].get(key)),
            refused=_verdict(maps["refused"].get(key)),
        )
        for key in every
    }


def _verdict(datum: Datum) -> Verdict | None:
    return datum if isinstance(datum, Verdict) else None


def _in_order(slots: Mapping[int, bytes], offset: int) -> tuple[bytes, ...]:
    """ValueError where a slot is missing: then the table is not what we left."""
    wanted = sorted(number for number in slots if (number >= chains.LOCAL) == (offset > 0))
    if wanted != list(range(offset, offset + len(wanted))):
        raise ValueError("endpoints have holes")
    return tuple(slots[number] for number in wanted)
