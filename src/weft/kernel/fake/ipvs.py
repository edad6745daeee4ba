"""IPVS in memory: refuses what the kernel refuses."""

from collections.abc import Sequence
from dataclasses import replace

from weft.kernel.ipvs import IpvsError
from weft.kernel.state.ipvs import (
    ChangeServer,
    ChangeTarget,
    IpvsChange,
    NewServer,
    NewTarget,
    RemoveServer,
    RemoveTarget,
    Server,
    Virtual,
)


class FakeIpvs:
    def __init__(self) -> None:
        self.servers: dict[Virtual, Server] = {}

    def observe(self) -> dict[Virtual, Server]:
        return dict(self.servers)

    def apply(self, changes: Sequence[IpvsChange]) -> None:
        for change in changes:
            if isinstance(change, NewServer):
                change.server.validate(change.at)
                self._need(change.at not in self.servers, change)
                self.servers[change.at] = replace(change.server, targets={})
            else:
                self._need(change.at in self.servers, change)
                self._change(change)

    def _change(self, change: IpvsChange) -> None:
        held = self.servers[change.at]
        match change:
            case ChangeServer(at, server):
                self.servers[at] = replace(server, targets=held.targets)
            case RemoveServer(at):
                del self.servers[at]
            case NewTarget(at, target, weight):
                self._need(target not in held.targets, change)
                self.servers[at] = replace(held, targets={**held.targets, target: weight})
            case ChangeTarget(at, target, weight):
                self._need(target in held.targets, change)
                self.servers[at] = replace(held, targets={**held.targets, target: weight})
            case RemoveTarget(at, target):
                self._need(target in held.targets, change)
                rest = {end: weight for end, weight in held.targets.items() if end != target}
                self.servers[at] = replace(held, targets=rest)

    @staticmethod
    def _need(condition: bool, change: IpvsChange) -> None:
        if not condition:
            raise IpvsError(f"cannot make {change}: exists already, or is not there")

    def close(self) -> None:
        pass
