"""IPVS of one network namespace."""

import errno
import os
import socket
import subprocess
from collections.abc import Sequence

from weft.kernel.errors import KernelError
from weft.kernel.ipvs import IpvsError
from weft.kernel.real.ipvs import wire
from weft.kernel.real.netlink import constants as c
from weft.kernel.real.netlink.socket import Request, RtnetlinkSocket
from weft.kernel.state.ipvs import (
    ChangeServer,
    ChangeTarget,
    IpvsChange,
    NewServer,
    NewTarget,
    RemoveServer,
    RemoveTarget,
    Server,
    Target,
    Virtual,
)

_NETLINK_GENERIC, _GENL_ID_CTRL = 16, 16
_MISSING = "this kernel has no IPVS: load module ip_vs, or use --proxy-mode nftables"


class _GenericSocket(RtnetlinkSocket):
    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)
        for option in (c.NETLINK_CAP_ACK, c.NETLINK_EXT_ACK):
            made.setsockopt(c.SOL_NETLINK, option, 1)
        made.settimeout(30.0)
        made.bind((0, 0))
        return made


class RealIpvs:
    """Opened in the namespace at `netns` ("" is the calling thread's). Raises IpvsError where the kernel has none."""

    def __init__(self, netns: str | int = "") -> None:
        self._socket = _GenericSocket(netns)
        try:
            self._family = self._find()
        except IpvsError:
            self._socket.close()
            raise

    def _find(self) -> int:
        """The kernel loads most modules when they are asked for, this one it does not."""
        for attempt in (0, 1):
            try:
                return wire.family(self._socket.ask(_GENL_ID_CTRL, wire.ask_family("IPVS"), "find IPVS"))
            except KernelError as error:
                if error.errno != errno.ENOENT:
                    raise IpvsError(str(error)) from None
            if attempt == 0:
                _load_module()
        raise IpvsError(_MISSING)

    def observe(self) -> dict[Virtual, Server]:
        try:
            bodies = self._socket.dump(self._family, wire.request(wire.GET_SERVICE), "list virtual servers")
            found = [one for one in map(wire.read_service, bodies) if one is not None]
            return {at: Server(one.scheduler, one.persistence, self._targets(at)) for at, one in found}
        except (KernelError, ValueError) as error:
            raise IpvsError(str(error)) from None

    def _targets(self, at: Virtual) -> dict[Target, int]:
        ask = wire.request(wire.GET_DEST, wire.key(at))
        bodies = self._socket.dump(self._family, ask, f"list the targets of {at}")
        return dict(one for one in (wire.read_destination(body, len(at.address)) for body in bodies) if one is not None)

    def apply(self, changes: Sequence[IpvsChange]) -> None:
        requests = [Request(self._family, 0, _encode(change)) for change in changes]
        results = self._socket.transact(requests)
        for change, (code, detail) in zip(changes, results, strict=True):
            if code:
                raise IpvsError(f"cannot make {change}: {os.strerror(code)}{f' ({detail})' if detail else ''}")

    def close(self) -> None:
        self._socket.close()


def _encode(change: IpvsChange) -> bytes:
    match change:
        case NewServer(at, server):
            server.validate(at)
            return wire.request(wire.NEW_SERVICE, wire.service(at, server))
        case ChangeServer(at, server):
            server.validate(at)
            return wire.request(wire.SET_SERVICE, wire.service(at, server))
        case RemoveServer(at):
            return wire.request(wire.DEL_SERVICE, wire.key(at))
        case NewTarget(at, target, weight):
            return wire.request(wire.NEW_DEST, wire.key(at), wire.destination(target, weight))
        case ChangeTarget(at, target, weight):
            return wire.request(wire.SET_DEST, wire.key(at), wire.destination(target, weight))
        case RemoveTarget(at, target):
            return wire.request(wire.DEL_DEST, wire.key(at), wire.destination(target, 0))


def _load_module() -> None:
    try:
        subprocess.run(["modprobe", "ip_vs"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        pass
