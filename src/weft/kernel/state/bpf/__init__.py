"""BPF as values: maps, and programs written with a small assembler. Pure. Source: RFC 9669, bpf(2).

code = Code()
code.load(4, R1, R6, 4).jump_if("==", R1, 0, "pass").label("pass").move(R0, 1).exit()
program = Program("connect4", "connect4", code.instructions)
"""

from weft.kernel.state.bpf.code import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Code, Helper, Instruction, Reg, encode
from weft.kernel.state.bpf.objects import Hook, Map, MapKind, Program

__all__ = [
    "R0",
    "R1",
    "R2",
    "R3",
    "R4",
    "R6",
    "R7",
    "R8",
    "R9",
    "R10",
    "Code",
    "Helper",
    "Hook",
    "Instruction",
    "Map",
    "MapKind",
    "Program",
    "Reg",
    "encode",
]
