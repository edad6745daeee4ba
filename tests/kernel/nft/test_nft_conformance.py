"""What the fake and the kernel must do alike."""

import os
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from weft.kernel.fake.nft import FakeNft
from weft.kernel.nft import Nft, NftError
from weft.kernel.real import netns
from weft.kernel.real.nft import RealNft
from weft.kernel.state.nft import (
    DPORT,
    DROP,
    IP_DADDR,
    IP_SADDR,
    L4PROTO,
    TCP_DPORT,
    Chain,
    DnatTo,
    Hook,
    InSet,
    Map,
    Masquerade,
    Match,
    OneOf,
    Set,
    Table,
    Transaction,
    VerdictMap,
    concat,
    goto,
    random_below,
    rule,
)

TABLE = Table("ip", "weft-test", comment="layout 1")
PICK = Chain(TABLE, "pick-2")
PRE = Chain(TABLE, "prerouting", Hook("nat", "prerouting", -100))
SERVICES = Map(TABLE, "services", concat(IP_DADDR, L4PROTO, DPORT))
ENDPOINTS = Map(TABLE, "endpoints", concat(*SERVICES.key.fields, random_below(2)), data=concat(IP_DADDR, DPORT))
ADDRESSES = Set(TABLE, "addresses", concat(IP_DADDR))
RANGES = Set(TABLE, "ranges", concat(IP_SADDR), interval=True)
A, B = ip_address("10.96.0.1"), ip_address("10.96.0.2")


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.root)])
def nft(request: pytest.FixtureRequest) -> Iterator[Nft]:
    if request.param == "fake":
        yield FakeNft()
        return
    name = f"weft-test-nft-{os.getpid()}"
    netns.create(name)
    door = RealNft(name)
    try:
        yield door
    finally:
        door.close()
        netns.delete(name)


def build() -> Transaction:
    pick = concat(*SERVICES.key.fields, random_below(2))
    return (
        Transaction()
        .replace(TABLE)
        .add(SERVICES, ENDPOINTS, ADDRESSES, RANGES, PICK, PRE)
        .add(rule(PICK, OneOf(L4PROTO, ("tcp", "udp")), DnatTo(pick, ENDPOINTS)))
        .add(rule(PRE, VerdictMap(SERVICES.key, SERVICES), comment="services"))
        .add_elements(RANGES, {RANGES.pack(ip_network("10.0.0.0/8")): None})
    )


def service(address: object, port: int = 80) -> bytes:
    return SERVICES.pack(address, "tcp", port)  # type: ignore[arg-type]


def test_a_table_is_built_and_observed(nft: Nft) -> None:
    assert nft.observe(TABLE) is None
    nft.apply(build())
    state = nft.observe(TABLE)
    assert state is not None
    assert state.comment == "layout 1"
    assert state.chains == {"pick-2", "prerouting"}
    assert state.sets == {"services", "endpoints", "addresses", "ranges"}
    assert "pick-2" in nft.show(TABLE)


def test_replacing_starts_anew(nft: Nft) -> None:
    nft.apply(build())
    nft.apply(Transaction().add_elements(ADDRESSES, {ADDRESSES.pack(A): None}))
    nft.apply(build())
    assert nft.elements(ADDRESSES) == {}
    nft.apply(Transaction().remove(TABLE))
    nft.apply(Transaction().remove(TABLE))
    assert nft.observe(TABLE) is None


def test_elements_come_back_as_they_went(nft: Nft) -> None:
    nft.apply(build())
    endpoint = ENDPOINTS.pack_data(ip_address("10.244.1.5"), 8080)
    wanted = {service(A): goto("pick-2"), service(B): DROP}
    nft.apply(
        Transaction()
        .add_elements(SERVICES, wanted)
        .add_elements(ENDPOINTS, {ENDPOINTS.pack(A, "tcp", 80, n): endpoint for n in (0, 1)})
        .add_elements(ADDRESSES, {ADDRESSES.pack(A): None})
    )
    assert nft.elements(SERVICES) == wanted
    assert nft.elements(ENDPOINTS) == {ENDPOINTS.pack(A, "tcp", 80, n): endpoint for n in (0, 1)}
    assert nft.elements(ADDRESSES) == {ADDRESSES.pack(A): None}


def test_text_and_bytes_say_the_same(nft: Nft) -> None:
    """Elements that go with a new chain travel as text, those alone as netlink: both must be the same element."""
    nft.apply(build())
    slots = {ENDPOINTS.pack(A, "tcp", 80, n): ENDPOINTS.pack_data(B, n) for n in range(3)}
    nft.apply(Transaction().add(Chain(TABLE, "other")).add_elements(ENDPOINTS, slots))
    assert nft.elements(ENDPOINTS) == slots
    nft.apply(Transaction().delete_elements(ENDPOINTS, slots))
    assert nft.elements(ENDPOINTS) == {}


def test_keys_and_data_of_one_short_field(nft: Nft) -> None:
    """The kernel pads fields only where there are several."""
    ports = Set(TABLE, "ports", concat(DPORT))
    pairs = Map(TABLE, "pairs", concat(L4PROTO), data=concat(TCP_DPORT))
    wanted = {ports.pack(number): None for number in (1, 80, 65535)}
    elements = {pairs.pack("tcp"): pairs.pack_data(80), pairs.pack("udp"): pairs.pack_data(53)}
    nft.apply(build().add(ports, pairs))
    nft.apply(Transaction().add_elements(ports, wanted).add_elements(pairs, elements))
    assert nft.elements(ports) == wanted
    assert nft.elements(pairs) == elements
    nft.apply(Transaction().delete_elements(ports, [ports.pack(80)]))
    assert ports.pack(80) not in nft.elements(ports)


def test_an_element_is_exchanged_in_one_transaction(nft: Nft) -> None:
    nft.apply(build())
    nft.apply(Transaction().add_elements(SERVICES, {service(A): goto("pick-2")}))
    nft.apply(
        Transaction()
        .delete_elements(SERVICES, [service(A)])
        .add_elements(SERVICES, {service(A): DROP, service(B): DROP})
    )
    assert nft.elements(SERVICES) == {service(A): DROP, service(B): DROP}


@pytest.mark.parametrize("chunk", [1, 499, 500, 501, 1700])
def test_many_elements(nft: Nft, chunk: int) -> None:
    nft.apply(build())
    wanted = {service(A, port): goto("pick-2") for port in range(1, chunk + 1)}
    nft.apply(Transaction().add_elements(SERVICES, wanted))
    assert nft.elements(SERVICES) == wanted
    nft.apply(Transaction().delete_elements(SERVICES, wanted))
    assert nft.elements(SERVICES) == {}


def refused() -> list[Transaction]:
    other = Chain(TABLE, "nowhere")
    lost = Map(TABLE, "lost", concat(DPORT))
    first = {service(A): goto("pick-2")}
    return [
        Transaction().add_elements(SERVICES, first).delete_elements(SERVICES, [service(B)]),
        Transaction().add_elements(SERVICES, first).add_elements(SERVICES, {service(A): DROP}),
        Transaction().add_elements(SERVICES, first).add_elements(SERVICES, {service(B): goto("nowhere")}),
        Transaction().add_elements(SERVICES, first).add_elements(lost, {lost.pack(1): DROP}),
        Transaction().add_elements(SERVICES, first).delete(PICK),
        Transaction().add_elements(SERVICES, first).delete(SERVICES),
        Transaction().add_elements(SERVICES, first).delete(other),
        Transaction().add_elements(SERVICES, first).add(rule(other, Masquerade())),
        Transaction().add_elements(SERVICES, first).add(rule(PRE, goto("nowhere"))),
        Transaction().add_elements(SERVICES, first).add(rule(PRE, VerdictMap(lost.key, lost))),
        Transaction().add_elements(SERVICES, first).add(Map(TABLE, "services", concat(DPORT))),
        Transaction().add_elements(SERVICES, first).add(Chain(Table("ip", "absent"), "c")),
    ]


@pytest.mark.parametrize("number", range(12))
def test_what_is_refused_changes_nothing(nft: Nft, number: int) -> None:
    nft.apply(build())
    with pytest.raises(NftError) as raised:
        nft.apply(refused()[number])
    assert str(raised.value).startswith("nftables: ")
    assert "\n" not in str(raised.value)
    assert nft.elements(SERVICES) == {}
    state = nft.observe(TABLE)
    assert state is not None and state.chains == {"pick-2", "prerouting"}


def test_a_chain_goes_with_its_last_reference(nft: Nft) -> None:
    nft.apply(build())
    extra = Chain(TABLE, "pick-3")
    nft.apply(Transaction().add(extra, rule(extra, Match(DPORT, 80), DROP)))
    nft.apply(Transaction().add_elements(SERVICES, {service(A): goto(extra)}))
    nft.apply(Transaction().delete_elements(SERVICES, [service(A)]).delete(extra))
    state = nft.observe(TABLE)
    assert state is not None and "pick-3" not in state.chains


def test_adding_what_is_there_is_no_error(nft: Nft) -> None:
    nft.apply(build())
    again = Transaction().add(TABLE, SERVICES, PICK, PRE).add_elements(SERVICES, {service(A): DROP})
    nft.apply(again)
    nft.apply(again)
    assert nft.elements(SERVICES) == {service(A): DROP}


def test_elements_of_no_map(nft: Nft) -> None:
    with pytest.raises(NftError, match="No such file"):
        nft.elements(SERVICES)


def test_sets_in_rules(nft: Nft) -> None:
    nft.apply(build())
    nft.apply(
        Transaction()
        .add(rule(PRE, InSet(concat(IP_SADDR), RANGES, "!="), InSet(concat(IP_DADDR), ADDRESSES), DROP))
        .flush(ADDRESSES)
    )
    assert "ip saddr != @ranges ip daddr @addresses drop" in nft.show(TABLE)
