"""The assembler."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kernel.state.bpf import R0, R1, R2, R10, Code, Helper, encode
from weft.kernel.state.bpf.code import Comparison, Reg


def test_each_form_is_the_bytes_of_rfc_9669() -> None:
    code = Code().move(R1, R10).compute(R1, "+", -8).store(8, R10, -8, 7).load(4, R2, R1, 4).move(R0, 1).exit()
    assert encode(code.instructions, {}).hex(" ", 8) == (
        "bfa1000000000000 07010000f8ffffff 7a0af8ff07000000 6112040000000000 b700000001000000 9500000000000000"
    )


def test_maps_and_constants_take_two_places_and_jumps_count_them() -> None:
    code = Code().jump("end").load_map(R1, "m").constant(R2, 1 << 40).call(Helper.map_lookup).label("end").exit()
    raw = encode(code.instructions, {"m": 9})
    words = [struct.unpack_from("<BBhi", raw, at) for at in range(0, len(raw), 8)]
    assert words[0] == (0x05, 0, 5, 0)
    assert words[1:3] == [(0x18, 0x11, 0, 9), (0, 0, 0, 0)]
    assert words[3:5] == [(0x18, 0x02, 0, 0), (0, 0, 0, 1 << 8)]
    assert words[5] == (0x85, 0, 0, 1)


def test_labels_must_be_there_once() -> None:
    with pytest.raises(ValueError, match="no label 'away'"):
        encode(Code().jump("away").exit().instructions, {})
    with pytest.raises(ValueError, match="twice"):
        encode(Code().label("a").label("a").exit().instructions, {})
    with pytest.raises(ValueError, match="does not fit"):
        Code().move(R0, 1 << 32)


@given(
    st.sampled_from(["==", "!=", ">", ">=", "<", "<=", "&"]),
    st.sampled_from(list(Reg)),
    st.one_of(st.sampled_from(list(Reg)), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.integers(0, 200),
)
def test_jumps_reach_their_label_in_both_directions(
    comparison: Comparison, one: Reg, other: Reg | int, far: int
) -> None:
    code = Code().label("before").jump_if(comparison, one, other, "behind")
    for _ in range(far):
        code.constant(R0, 1)
    raw = encode(code.jump("before").label("behind").exit().instructions, {})
    there, back = struct.unpack_from("<BBhi", raw), struct.unpack_from("<BBhi", raw, len(raw) - 16)
    assert there[2] * 8 + 8 == len(raw) - 8
    assert back[2] * 8 + len(raw) - 8 == 0
    assert bool(there[0] & 0x08) == isinstance(other, Reg)
