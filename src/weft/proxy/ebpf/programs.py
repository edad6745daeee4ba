"""The eight programs. Pure: byte code as values. Context: struct bpf_sock_addr (linux/bpf.h).

connect, sendmsg:      destination ─► services ─► remembered endpoint, or one of `endpoints` ─► destination
recvmsg, getpeername:  peer ─► origins ─► what the socket's owner had asked for

What no map knows is left as it is. All of an IPv4 destination's programs but for its width are those of IPv6.
"""

from typing import Literal

from weft.kernel.state.bpf import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R9,
    R10,
    Code,
    Helper,
    Hook,
    Instruction,
    Map,
    Program,
    Reg,
)
from weft.proxy.ebpf.maps import CLIENTS, ENDPOINTS, LOOPBACK, MEMBERS, ORIGINS, SERVICES, STICKY

Version = Literal[4, 6]
_HOOKS: dict[Version, tuple[Hook, Hook, Hook, Hook]] = {
    4: ("connect4", "sendmsg4", "recvmsg4", "getpeername4"),
    6: ("connect6", "sendmsg6", "recvmsg6", "getpeername6"),
}
_TCP, _UDP = 6, 17
_USER_IP4, _USER_IP6, _USER_PORT, _PROTOCOL = 4, 8, 24, 36
_COUNT, _SECONDS, _FLAGS = 0, 4, 8
# The stack, as offsets from its end; a place is 20 bytes.
_FRONTEND, _SLOT = -24, -4
_MEMBER, _ENDPOINT = -64, -44
_CLIENT, _CLIENT_FRONTEND, _CLIENT_KIND = -96, -88, -68
_CHOICE, _CHOICE_PAD, _CHOICE_TIME = -128, -108, -104
_ORIGIN, _ORIGIN_ENDPOINT, _ORIGIN_PAD = -160, -152, -132
_WORDS = range(0, 20, 4)


def programs(node_cookie: int) -> tuple[Program, ...]:
    """`node_cookie`: the node's own network namespace (SO_NETNS_COOKIE), whose loopback has NodePorts."""
    made = []
    for version, (connect, sendmsg, recvmsg, getpeername) in _HOOKS.items():
        made += [
            Program(f"weft_{connect}", connect, _forward(version, node_cookie, (_TCP, _UDP))),
            Program(f"weft_{sendmsg}", sendmsg, _forward(version, node_cookie, (_UDP,))),
            Program(f"weft_{recvmsg}", recvmsg, _backward(version)),
            Program(f"weft_{getpeername.replace('get', '')}", getpeername, _backward(version)),
        ]
    return tuple(made)


def _forward(version: Version, node_cookie: int, protocols: tuple[int, ...]) -> tuple[Instruction, ...]:
    """r6: context; r7: the Service; r9: whether the choice is to be remembered."""
    code = Code().move(R6, R1)
    _find_service(code, version, protocols)
    _guard_loopback(code, node_cookie)
    _recall(code, remember_sockets=protocols == (_UDP,))
    _pick(code)
    code.label("chosen")
    _remember(code)
    _note_origin(code)
    _write(code, version, R10, _ENDPOINT)
    return code.label("pass").move(R0, 1).exit().instructions


def _find_service(code: Code, version: Version, protocols: tuple[int, ...]) -> None:
    code.load(4, R7, R6, _PROTOCOL)
    for protocol in protocols:
        code.jump_if("==", R7, protocol, "known")
    code.jump("pass").label("known")
    _read(code, version, _FRONTEND)
    code.store(1, R10, _FRONTEND + 18, R7).store(1, R10, _FRONTEND + 19, 0)
    _lookup(code, SERVICES, _FRONTEND)
    code.jump_if("==", R0, 0, "pass").move(R7, R0)


def _guard_loopback(code: Code, node_cookie: int) -> None:
    code.load(4, R1, R7, _FLAGS).compute(R1, "&", LOOPBACK).jump_if("==", R1, 0, "ours")
    code.move(R1, R6).call(Helper.netns_cookie)
    code.constant(R1, node_cookie).jump_if("!=", R0, R1, "pass").label("ours")


def _recall(code: Code, *, remember_sockets: bool) -> None:
    """The client is the network namespace, which is a pod, or where sockets send more than once, the socket."""
    code.move(R9, 0).load(4, R1, R7, _FLAGS).compute(R1, "&", STICKY)
    code.jump_if("!=", R1, 0, "sticky")
    if remember_sockets:
        code.move(R1, R6).call(Helper.socket_cookie)
        code.store(8, R10, _CLIENT, R0).store(4, R10, _CLIENT_KIND, 1).jump("client")
    else:
        code.jump("pick")
    code.label("sticky").move(R1, R6).call(Helper.netns_cookie)
    code.store(8, R10, _CLIENT, R0).store(4, R10, _CLIENT_KIND, 0).label("client").move(R9, 1)
    _copy(code, _CLIENT_FRONTEND, R10, _FRONTEND)
    _copy(code, _MEMBER, R10, _FRONTEND)
    _lookup(code, CLIENTS, _CLIENT)
    code.jump_if("==", R0, 0, "pick").move(R8, R0)
    code.call(Helper.boot_time).load(8, R1, R8, _CHOICE_TIME - _CHOICE).compute(R0, "-", R1)
    code.load(4, R1, R7, _SECONDS).compute(R1, "*", 1_000_000_000).jump_if(">", R0, R1, "pick")
    _copy(code, _ENDPOINT, R8, 0)
    _lookup(code, MEMBERS, _MEMBER)
    code.jump_if("!=", R0, 0, "chosen")


def _pick(code: Code) -> None:
    """The count may be of before a change and the slots of after it; then the first slot is there still."""
    code.label("pick").call(Helper.random)
    code.load(4, R1, R7, _COUNT).jump_if("==", R1, 0, "pass").compute(R0, "%", R1).store(4, R10, _SLOT, R0)
    _lookup(code, ENDPOINTS, _FRONTEND)
    code.jump_if("!=", R0, 0, "found").store(4, R10, _SLOT, 0)
    _lookup(code, ENDPOINTS, _FRONTEND)
    code.jump_if("==", R0, 0, "pass").label("found")
    _copy(code, _ENDPOINT, R0, 0)


def _remember(code: Code) -> None:
    code.jump_if("==", R9, 0, "remembered")
    _copy(code, _CHOICE, R10, _ENDPOINT)
    code.store(4, R10, _CHOICE_PAD, 0).call(Helper.boot_time).store(8, R10, _CHOICE_TIME, R0)
    _update(code, CLIENTS, _CLIENT, _CHOICE)
    code.label("remembered")


def _note_origin(code: Code) -> None:
    code.move(R1, R6).call(Helper.socket_cookie).store(8, R10, _ORIGIN, R0)
    _copy(code, _ORIGIN_ENDPOINT, R10, _ENDPOINT)
    code.store(4, R10, _ORIGIN_PAD, 0)
    _update(code, ORIGINS, _ORIGIN, _FRONTEND)


def _backward(version: Version) -> tuple[Instruction, ...]:
    code = Code().move(R6, R1).call(Helper.socket_cookie).store(8, R10, _ORIGIN, R0)
    _read(code, version, _ORIGIN_ENDPOINT)
    code.store(2, R10, _ORIGIN_ENDPOINT + 18, 0).store(4, R10, _ORIGIN_PAD, 0)
    _lookup(code, ORIGINS, _ORIGIN)
    code.jump_if("==", R0, 0, "pass")
    _write(code, version, R0, 0)
    return code.label("pass").move(R0, 1).exit().instructions


def _read(code: Code, version: Version, to: int) -> None:
    """Address and port of the context."""
    if version == 4:
        code.store(4, R10, to, 0).store(4, R10, to + 4, 0).store(4, R10, to + 8, 0xFFFF0000)
        code.load(4, R1, R6, _USER_IP4).store(4, R10, to + 12, R1)
    else:
        for word in range(0, 16, 4):
            code.load(4, R1, R6, _USER_IP6 + word).store(4, R10, to + word, R1)
    code.load(4, R1, R6, _USER_PORT).store(2, R10, to + 16, R1)


def _write(code: Code, version: Version, base: Reg, at: int) -> None:
    if version == 4:
        code.load(4, R1, base, at + 12).store(4, R6, _USER_IP4, R1)
    else:
        for word in range(0, 16, 4):
            code.load(4, R1, base, at + word).store(4, R6, _USER_IP6 + word, R1)
    code.load(2, R1, base, at + 16).store(4, R6, _USER_PORT, R1)


def _copy(code: Code, to: int, base: Reg, at: int) -> None:
    for word in _WORDS:
        code.load(4, R1, base, at + word).store(4, R10, to + word, R1)


def _lookup(code: Code, of: Map, key: int) -> None:
    code.load_map(R1, of.name).move(R2, R10).compute(R2, "+", key).call(Helper.map_lookup)


def _update(code: Code, of: Map, key: int, value: int) -> None:
    code.load_map(R1, of.name).move(R2, R10).compute(R2, "+", key)
    code.move(R3, R10).compute(R3, "+", value).move(R4, 0).call(Helper.map_update)
