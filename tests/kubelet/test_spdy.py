"""The SPDY/3.1 codec: whole, byte by byte, with trailing data, and broken."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kubelet.streaming import spdy
from weft.kubelet.streaming.dictionary import DICTIONARY

_headers = st.dictionaries(st.from_regex(r"[a-z-]{1,20}", fullmatch=True), st.text(max_size=30), max_size=5)


def test_the_dictionary_is_the_specification_s() -> None:
    assert len(DICTIONARY) == 1423 and zlib.adler32(DICTIONARY) == 0xE3C6A7C2
    assert DICTIONARY.startswith(b"\x00\x00\x00\x07options") and DICTIONARY.endswith(b",enq=0.")


@given(st.lists(st.tuples(_headers, st.binary(max_size=100), st.booleans()), max_size=6), st.integers(1, 40))
def test_what_is_sent_arrives(script: list[tuple[dict[str, str], bytes, bool]], size: int) -> None:
    client, server = spdy.Connection(), spdy.Connection(client=False)
    wire, expected = bytearray(), []
    for headers, data, fin in script:
        stream, frame = client.open(headers)
        wire += frame + spdy.data_frames(stream, data, fin=fin)
        expected += [spdy.Opened(stream, headers), spdy.Data(stream, data, fin)]
    wire += spdy.ping(7) + spdy.reset(1) + spdy.goaway(3)
    expected += [spdy.Pinged(7), spdy.Reset(1, 5), spdy.GoAway(3, 0)]
    found = [event for at in range(0, len(wire), size) for event in server.receive(bytes(wire[at : at + size]))]
    assert found == expected


def test_replies_and_large_data() -> None:
    client, server = spdy.Connection(), spdy.Connection(client=False)
    stream, frame = client.open({"streamtype": "stdin"}, fin=True)
    assert stream == 1 and list(server.receive(frame)) == [spdy.Opened(1, {"streamtype": "stdin"}, True)]
    assert list(client.receive(server.reply(1, {"a": "b"}))) == [spdy.Replied(1, {"a": "b"})]
    big = bytes(range(256)) * 1000
    events = list(server.receive(spdy.data_frames(1, big, fin=True)))
    assert b"".join(e.data for e in events if isinstance(e, spdy.Data)) == big
    assert [e.fin for e in events if isinstance(e, spdy.Data)] == [False] * (len(events) - 1) + [True]


@pytest.mark.parametrize(
    "wire",
    [
        b"\x80\x02\x00\x01\x00\x00\x00\x0a" + bytes(10),  # SPDY/2
        b"\x80\x03\x00\x06\x00\x00\x00\x02\x00\x00",  # half a ping
        b"\x80\x03\x00\x01\x00\x00\x00\x0c" + bytes(10) + b"zz",  # headers that are not zlib
    ],
)
def test_broken_frames(wire: bytes) -> None:
    with pytest.raises(spdy.ProtocolError):
        list(spdy.Connection(client=False).receive(wire))


@given(st.binary(max_size=200))
def test_noise_is_refused_or_ignored(wire: bytes) -> None:
    try:
        list(spdy.Connection(client=False).receive(wire))
    except spdy.ProtocolError:
        pass
