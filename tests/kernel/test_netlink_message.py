"""The codec takes whatever bytes come: a value or ValueError, never another error and never an endless loop."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kernel.real.netlink import message as m


@given(
    st.lists(st.tuples(st.integers(16, 99), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.binary(max_size=50)))
)
def test_messages_come_back(items: list[tuple[int, int, int, bytes]]) -> None:
    joined = b"".join(m.message(*item) for item in items)
    assert [tuple(found) for found in m.messages(joined)] == items


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=50)))
def test_attributes_come_back(items: dict[int, bytes]) -> None:
    assert m.attributes(b"".join(m.attribute(kind, payload) for kind, payload in items.items())) == items


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (lambda: list(m.messages(data)), lambda: m.attributes(data)):
        try:
            read()
        except ValueError as error:
            assert str(error).startswith("netlink: ")


def test_an_error_carries_the_kernels_words() -> None:
    words = m.text(1, "Nexthop has invalid gateway")
    header = struct.pack("=IHHII", 16, 24, 5, 9, 0)
    (answer,) = m.messages(m.message(2, 0x300, 9, struct.pack("=i", -101) + header + words))
    assert m.error(answer) == (101, "Nexthop has invalid gateway")
    (done,) = m.messages(m.message(2, 0, 9, struct.pack("=i", 0) + header))
    assert m.error(done) == (0, "")
    with pytest.raises(ValueError, match="no acknowledgement"):
        m.error(m.Message(3, 0, 1, b""))
