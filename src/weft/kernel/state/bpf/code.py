"""The assembler: instructions as values, jumps to labels, maps by name. Pure. Source: RFC 9669.

Little-endian machines only, which is all that Debian's kernels with BPF JIT run on but s390x.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

_FORMAT = struct.Struct("<BBhi")
_SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_LD_IMM64, _LDX, _ST, _STX, _CALL, _EXIT, _JUMP = 0x18, 0x61, 0x62, 0x63, 0x85, 0x95, 0x05
_MAP_FD = 1
_REGISTER = 0x08
_COMPARE = {"==": 0x15, ">": 0x25, ">=": 0x35, "&": 0x45, "!=": 0x55, "<": 0xA5, "<=": 0xB5}
_ARITHMETIC = {"+": 0x07, "-": 0x17, "*": 0x27, "%": 0x97, "&": 0x57, "=": 0xB7}
Comparison = Literal["==", "!=", ">", ">=", "<", "<=", "&"]
"""Unsigned; `&`: whether any of these bits is set."""
Operation = Literal["+", "-", "*", "%", "&", "="]


class Reg(IntEnum):
    """r0: what a call returned; r1 to r5: arguments, lost by calls; r6 to r9: kept; r10: the end of the stack."""

    r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10 = range(11)


R0, R1, R2, R3, R4 = Reg.r0, Reg.r1, Reg.r2, Reg.r3, Reg.r4
R6, R7, R8, R9, R10 = Reg.r6, Reg.r7, Reg.r8, Reg.r9, Reg.r10


class Helper(IntEnum):
    """Functions of the kernel. Source: bpf-helpers(7)."""

    map_lookup = 1
    map_update = 2
    random = 7
    socket_cookie = 46
    netns_cookie = 122
    boot_time = 125
    """Nanoseconds, sleep included."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """`target`: the label that a jump goes to; `map`: the map whose descriptor is loaded; `wide`: 64 bits follow."""

    opcode: int
    destination: Reg = R0
    source: Reg = R0
    offset: int = 0
    immediate: int = 0
    target: str = ""
    map: str = ""
    label: str = ""
    """Not an instruction, but the name of this place, if not empty."""

    @property
    def slots(self) -> int:
        """How many times eight bytes it takes."""
        return 0 if self.label else 2 if self.opcode == _LD_IMM64 else 1


class Code:
    """Grows by one instruction a call."""

    def __init__(self) -> None:
        self._made: list[Instruction] = []

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return tuple(self._made)

    def _add(self, one: Instruction) -> "Code":
        self._made.append(one)
        return self

    def label(self, name: str) -> "Code":
        return self._add(Instruction(0, label=name))

    def move(self, to: Reg, value: Reg | int) -> "Code":
        return self.compute(to, "=", value)

    def compute(self, to: Reg, operation: Operation, value: Reg | int) -> "Code":
        """64 bits; an int is sign-extended from 32."""
        opcode = _ARITHMETIC[operation]
        if isinstance(value, Reg):
            return self._add(Instruction(opcode | _REGISTER, to, value))
        return self._add(Instruction(opcode, to, immediate=_signed(value)))

    def load(self, size: Literal[1, 2, 4, 8], to: Reg, base: Reg, offset: int) -> "Code":
        return self._add(Instruction(_LDX | _SIZES[size], to, base, offset))

    def store(self, size: Literal[1, 2, 4, 8], base: Reg, offset: int, value: Reg | int) -> "Code":
        if isinstance(value, Reg):
            return self._add(Instruction(_STX | _SIZES[size], base, value, offset))
        return self._add(Instruction(_ST | _SIZES[size], base, offset=offset, immediate=_signed(value)))

    def constant(self, to: Reg, value: int) -> "Code":
        """All 64 bits."""
        return self._add(Instruction(_LD_IMM64, to, immediate=value))

    def load_map(self, to: Reg, name: str) -> "Code":
        return self._add(Instruction(_LD_IMM64, to, Reg(_MAP_FD), map=name))

    def jump(self, target: str) -> "Code":
        return self._add(Instruction(_JUMP, target=target))

    def jump_if(self, comparison: Comparison, one: Reg, other: Reg | int, target: str) -> "Code":
        opcode = _COMPARE[comparison]
        if isinstance(other, Reg):
            return self._add(Instruction(opcode | _REGISTER, one, other, target=target))
        return self._add(Instruction(opcode, one, immediate=_signed(other), target=target))

    def call(self, helper: Helper) -> "Code":
        return self._add(Instruction(_CALL, immediate=helper))

    def exit(self) -> "Code":
        return self._add(Instruction(_EXIT))


def encode(code: tuple[Instruction, ...], maps: Mapping[str, int]) -> bytes:
    """Byte code for the kernel; `maps`: descriptors by name. ValueError for a label that is missing or there twice."""
    places: dict[str, int] = {}
    at = 0
    for one in code:
        if one.label:
            if one.label in places:
                raise ValueError(f"label {one.label!r} is there twice")
            places[one.label] = at
        at += one.slots
    made, at = bytearray(), 0
    for one in code:
        at += one.slots
        if not one.label:
            made += _bytes(one, at, places, maps)
    return bytes(made)


def _bytes(one: Instruction, after: int, places: Mapping[str, int], maps: Mapping[str, int]) -> bytes:
    registers = one.source << 4 | one.destination
    if one.opcode == _LD_IMM64:
        value = maps[one.map] if one.map else one.immediate & (1 << 64) - 1
        low, high = _signed(value & 0xFFFFFFFF), _signed(value >> 32)
        return _FORMAT.pack(one.opcode, registers, 0, low) + _FORMAT.pack(0, 0, 0, high)
    offset = one.offset
    if one.target:
        if one.target not in places:
            raise ValueError(f"there is no label {one.target!r}")
        offset = places[one.target] - after
    return _FORMAT.pack(one.opcode, registers, offset, one.immediate)


def _signed(value: int) -> int:
    if not -(1 << 31) <= value < 1 << 32:
        raise ValueError(f"{value} does not fit 32 bits")
    return value - (1 << 32) if value >= 1 << 31 else value
