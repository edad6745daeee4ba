"""iptables by its own programs, of either kind (nf_tables or legacy): whichever the system is set to."""

import shutil
import subprocess
from collections.abc import Sequence

from weft.kernel.iptables import IptablesError, IpVersion
from weft.kernel.real import netns as namespaces

_TIMEOUT = 120.0
_LOCK_WAIT = "10"
_PREFIX: dict[IpVersion, str] = {4: "iptables", 6: "ip6tables"}


class RealIptables:
    """Runs the programs in the namespace at `netns` ("" is the process's own). Raises IptablesError without them."""

    def __init__(self, netns: str = "") -> None:
        self._netns = netns
        self._paths = {
            name + kind: _found(name + kind) for name in _PREFIX.values() for kind in ("", "-restore", "-save")
        }

    def restore(self, version: IpVersion, text: str) -> None:
        self._run(f"{_PREFIX[version]}-restore", ("--noflush", "--wait", _LOCK_WAIT), text)

    def save(self, version: IpVersion, table: str) -> str:
        return self._run(f"{_PREFIX[version]}-save", ("-t", table))

    def list(self, version: IpVersion, table: str, chain: str) -> str:
        try:
            return self._run(_PREFIX[version], ("--wait", _LOCK_WAIT, "-t", table, "-S", chain))
        except IptablesError:
            return ""

    def _run(self, program: str, arguments: Sequence[str], text: str = "") -> str:
        command = [self._paths[program], *arguments]
        done = namespaces.run_in(self._netns, _call, command, text) if self._netns else _call(command, text)
        if done.returncode != 0:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.startswith("#")]
            raise IptablesError(f"{program}: {' '.join(lines[:3]) or f'ended with code {done.returncode}'}")
        return done.stdout


def _call(command: Sequence[str], text: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, input=text, text=True, capture_output=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise IptablesError(f"{command[0]}: no end after {_TIMEOUT:.0f} s") from None


def _found(program: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        raise IptablesError(f"{program} is missing: install Debian's package iptables, or use --proxy-mode nftables")
    return path
