"""The message codec against dnspython: it reads what dnspython writes, and dnspython reads what it writes."""

import dns.edns
import dns.flags
import dns.name
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dns.message
from weft.dns.message import names, records
from weft.dns.message.errors import Malformed
from weft.dns.message.query import Edns, Query, Rejected, read_query
from weft.dns.message.records import Record
from weft.dns.message.reply import Reply, encode
from weft.dns.message.upstream import ask, read_message

label = st.binary(min_size=1, max_size=20)
wire_name = st.lists(label, max_size=8).map(lambda labels: names.join(labels, names.ROOT))
ttl = st.integers(0, 2**31 - 1)


def record(data: st.SearchStrategy[bytes], type_: int) -> st.SearchStrategy[Record]:
    return st.builds(Record, wire_name, st.just(type_), ttl, data)


any_record = st.one_of(
    record(st.binary(min_size=4, max_size=4), records.A),
    record(st.binary(min_size=16, max_size=16), records.AAAA),
    record(wire_name, records.CNAME),
    record(wire_name, records.PTR),
    record(wire_name.map(lambda name: b"\0\0\0\x64\0\x50" + name), records.SRV),
    record(wire_name.map(lambda name: b"\0\x0a" + name), records.MX),
    record(st.binary(max_size=50).map(lambda text: bytes((len(text),)) + text), records.TXT),
    st.builds(
        records.soa, wire_name.filter(lambda name: len(name) < 200), st.integers(0, 2**32 - 1), st.integers(0, 300)
    ),
)
sections = st.lists(any_record, max_size=6).map(tuple)


def query_for(name: bytes, edns: Edns | None = None, transport: str = "tcp") -> Query:
    return Query(4711, 0x0100, name, name.lower(), records.A, records.IN, edns, transport)  # type: ignore[arg-type]


def plain(rrset: dns.rrset.RRset) -> set[tuple[str, int, bytes]]:
    return {(rrset.name.canonicalize().to_text(), rrset.rdtype, rdata.to_wire(origin=None) or b"") for rdata in rrset}


@settings(deadline=None)
@given(wire_name, sections, sections, sections, st.sampled_from([None, Edns(4096, 0, False), Edns(512, 0, True)]))
def test_dnspython_reads_what_we_write(name, answer, authority, additional, edns):
    reply = Reply(0, answer, authority, additional, authoritative=True)
    packet = encode(query_for(name, edns), reply)
    message = dns.message.from_wire(packet)
    assert message.id == 4711
    assert message.flags & dns.flags.AA
    assert message.question[0].name.to_wire() == name
    assert (message.edns >= 0) == (edns is not None)
    for ours, theirs in ((answer, message.answer), (authority, message.authority), (additional, message.additional)):
        want = {(dns.name.from_wire(r.name, 0)[0].canonicalize().to_text(), r.type) for r in ours}
        assert {(rrset.name.canonicalize().to_text(), rrset.rdtype) for rrset in theirs} == want
    mine = read_message(packet)
    lowered = [
        [(r.name.lower(), r.type, r.ttl, r.data.lower()) for r in section]
        for section in (mine.answer, mine.authority, mine.additional)
    ]
    assert lowered == [
        [(r.name.lower(), r.type, r.ttl, r.data.lower()) for r in section]
        for section in (answer, authority, additional)
    ]


def test_we_read_what_dnspython_writes():
    message = dns.message.make_response(dns.message.make_query("a.example.", "MX"))
    message.answer.append(dns.rrset.from_text("a.example.", 60, "IN", "MX", "10 mail.example.", "20 mx.a.example."))
    message.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", "ns.example. h.example. 1 2 3 4 5"))
    message.additional.append(dns.rrset.from_text("mail.example.", 60, "IN", "A", "192.0.2.1"))
    got = read_message(message.to_wire())
    assert got.name == names.from_text("a.example")
    assert sorted(r.data for r in got.answer) == [
        b"\0\x0a" + names.from_text("mail.example"),
        b"\0\x14" + names.from_text("mx.a.example"),
    ]
    assert records.soa_minimum(got.authority[0]) == 5
    assert got.additional[0].data == bytes((192, 0, 2, 1))


@settings(deadline=None)
@given(wire_name, sections, st.integers(12, 1500))
def test_a_reply_is_never_larger_than_the_client_takes(name, answer, size):
    for edns in (None, Edns(size, 0, False)):
        query = query_for(name, edns, "udp")
        packet = encode(query, Reply(0, answer * 20))
        assert len(packet) <= max(query.limit, 16 + len(name))
        message = dns.message.from_wire(packet)
        kept = sum(len(rrset) for rrset in message.answer)
        assert bool(message.flags & dns.flags.TC) == (read_message(packet).answer != answer * 20)
        assert kept <= len(answer) * 20


@settings(deadline=None)
@given(st.binary(max_size=600))
@example(b"\0\0\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")
@example(b"\0" * 12)
def test_no_bytes_break_the_reader_or_amplify(packet):
    try:
        read_query(packet)
    except Rejected as rejected:
        assert len(rejected.reply) in (0, 12)
        assert len(rejected.reply) <= len(packet)
    try:
        read_message(packet)
    except Malformed:
        pass


@settings(deadline=None)
@given(wire_name, st.data())
def test_a_damaged_query_is_rejected_or_read(name, data):
    packet = bytearray(ask(7, name, records.A, dnssec_ok=True))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(packet[: data.draw(st.integers(0, len(packet)))])
    try:
        query = read_query(cut)
    except Rejected:
        return
    assert len(encode(query, Reply(2))) <= len(cut) + 11


def test_a_long_chain_of_pointers_is_refused():
    packet = bytearray(b"\0\0\x80\0\0\1\0\1\0\0\0\0\0\0\1\0\1")
    start = len(packet)
    packet += b"\xc0\x0c"
    for index in range(200):
        packet += (0xC000 | (start + 2 * index)).to_bytes(2, "big")
    with pytest.raises(Malformed):
        names.read(bytes(packet), len(packet) - 2)


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (b"\0\1\x28\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 4),  # an update
        (b"\0\1\1\0\0\2\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1", 1),
        (b"\0\1\1\0\0\0\0\0\0\0\0\0", 1),
        (b"\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1", 1),
        (b"\0\1\1\0\0\1\0\0\0\0\0\1\0\0\1\0\1\0\0\x29\x10", 1),  # half an OPT
        (ask(1, names.ROOT, 1, dnssec_ok=False)[:11] + b"\2" + b"\0\0\1\0\1" + b"\0\0\x29\x10\0\0\0\0\0\0\0" * 2, 1),
    ],
)
def test_wrong_queries_get_a_header(packet, rcode):
    with pytest.raises(Rejected) as caught:
        read_query(packet)
    assert caught.value.reply[:2] == packet[:2]
    assert caught.value.reply[2] & 0x80
    assert caught.value.reply[3] & 0xF == rcode


def test_answers_get_silence():
    with pytest.raises(Rejected) as caught:
        read_query(b"\0\1\x81\0\0\1\0\0\0\0\0\0\0\0\1\0\1")
    assert caught.value.reply == b""


def test_edns_is_read():
    packet = dns.message.make_query("a.example", "AAAA", use_edns=0, payload=1400, want_dnssec=True).to_wire()
    query = read_query(packet)
    assert query.edns == Edns(1400, 0, True)
    assert query.limit == 1232
    assert (query.type, query.class_, names.to_text(query.name)) == (28, 1, "a.example.")


@settings(deadline=None)
@given(wire_name)
def test_names_as_text_and_back(name):
    assert names.from_text(names.to_text(name)) == name
    assert dns.name.from_text(names.to_text(name)).to_wire() == name


@pytest.mark.parametrize("text", ["a..b", ".a", "a" * 64, "a." * 128, "\\", "\\25", "\\999"])
def test_no_names(text):
    with pytest.raises(ValueError, match="is not a domain name"):
        names.from_text(text)


def test_is_within():
    zone = names.from_text("cluster.local")
    assert names.is_within(names.from_text("a.cluster.local"), zone)
    assert names.is_within(zone, zone)
    assert not names.is_within(names.from_text("acluster.local"), zone)
    assert not names.is_within(names.join([b"x\x07cluster\x05local"], names.ROOT), zone)
    assert names.is_within(zone, names.ROOT)
