"""Makes the plan true, again and again: the step of the node's reconcile loop."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from weft.cluster.objects.node import Node
from weft.cni.plugins.weft import Settings
from weft.kernel.errors import KernelError
from weft.kernel.nft import Nft
from weft.kernel.port import Network
from weft.kernel.state.change import Add, Change, Remove, Replace
from weft.kernel.state.diff import diff
from weft.kernel.state.link import Link
from weft.kernel.state.network import NetworkState
from weft.kernel.state.route import WEFT_PROTOCOL, Route
from weft.kernel.state.sysctl import Sysctl
from weft.overlay import conflist, masquerade, metrics
from weft.overlay.config import CONFLIST, Config
from weft.overlay.model import Member, PodNetwork, member, pod_network
from weft.overlay.plan import Plan, accept_advertisements, owned, plan, uplink

_log = logging.getLogger(__name__)
_DEFAULT_MTU = 1500


class Agent:
    """`node_changed` follows the Node objects; `step` is called by the loop.

    What was applied last is kept, so a change among thousands of nodes costs a comparison in memory and one system
    call; the kernel itself is read at the start, after a failure and every `resync` seconds.
    """

    def __init__(
        self,
        config: Config,
        network: Network,
        nft: Nft,
        *,
        configure: Callable[[Settings | None, str], None],
        report_ready: Callable[[Node], Coroutine[Any, Any, None]],
        trigger: Callable[[], None] = lambda: None,
        bridge_filtering: bool,
        resync: float = 60.0,
    ) -> None:
        self._config = config
        self._network = network
        self._nft = nft
        self._configure = configure
        self._report_ready = report_ready
        self.trigger = trigger
        self._bridge_filtering = bridge_filtering
        self._resync = resync
        self._members: dict[str, Member] = {}
        self._own_node: Node | None = None
        self._last_own: Member | None = None
        self._settings: Settings | None = None
        self._uplink: Link | None = None
        self._advertised = ""
        self._applied: NetworkState | None = None
        self._observed_at = 0.0
        self._problems: tuple[str, ...] = ()
        self.not_ready: str | None = "not started"
        """Why pods cannot be attached; None when they can."""

    def node_changed(self, key: str, _old: Node | None, new: Node | None) -> None:
        """Triggers a step only where the network sees a difference: nodes report their health all the time."""
        if key == self._config.node:
            self._own_node = new
        before = self._members.get(key)
        after = member(new) if new is not None else None
        if after == before:
            return
        if after is None:
            del self._members[key]
        else:
            self._members[key] = after
        self.trigger()

    def close(self) -> None:
        """Everything stays as it is in the kernel: pods run on while the agent does not."""
        self._network.close()
        self._nft.close()

    def forget(self) -> None:
        """The next step reads the kernel instead of trusting what was applied last."""
        self._applied = None

    async def step(self) -> None:
        """Raises KernelError or RuntimeError where not all could be done; what could was done. A route that the kernel
        refuses (another node's address cannot be reached) does not keep this node from being ready."""
        began = time.perf_counter()
        made, failures = await asyncio.to_thread(self._apply)
        metrics.SYNC_SECONDS.observe(time.perf_counter() - began)
        own = [failure for failure in failures if not _is_route(failure)]
        if own:
            raise _joined(own)
        self._settle(made)
        if self.not_ready is None and self._own_node is not None:
            await self._report_ready(self._own_node)
        if failures:
            raise _joined(failures)

    def _settle(self, made: Plan) -> None:
        """The plan is true: tells the CNI plugin what is new, and the runtime that there is a network."""
        if made.settings is None:
            self.not_ready = made.why_not
        if made.settings is None or made.settings != self._settings:
            self._configure(made.settings, made.why_not)
            self._settings = made.settings
        if made.settings is not None and self.not_ready is not None:
            self._write_conflist()
            self.not_ready = None
            _log.info("pod network is ready bridge=%s ranges=%s", made.settings.bridge, _words(made.settings.ranges))

    def plan(self) -> Plan:
        network = pod_network(self._config.node, self._members)
        if network.own is None and self._last_own is not None:
            # A Node that is deleted, or registered anew, must not cut off the pods that run here.
            network = PodNetwork(self._last_own, network.others)
        self._last_own = network.own
        if network.own is not None and self._uplink is None:
            self._find_uplink(network.own)
        return plan(
            network,
            node=self._config.node,
            bridge=self._config.bridge,
            mtu=self._config.mtu or (self._uplink.mtu if self._uplink else None) or _DEFAULT_MTU,
            bridge_filtering=self._bridge_filtering,
            advertised=self._advertised,
        )

    def _find_uplink(self, own: Member) -> None:
        """Once, before forwarding is switched on: what the node's own link is like."""
        self._uplink = uplink(self._observe(()), own)
        if self._uplink is not None:
            name = accept_advertisements(self._uplink.name)
            if self._observe([name]).sysctls == (Sysctl(name, "1"),):
                self._advertised = self._uplink.name

    def _apply(self) -> tuple[Plan, tuple[KernelError, ...]]:
        made = self.plan()
        self._tell(made.problems)
        fresh = self._applied is None or time.monotonic() - self._observed_at >= self._resync
        known = self._observe([sysctl.name for sysctl in made.state.sysctls]) if fresh else self._applied
        assert known is not None
        # Not known, should anything below be raised.
        self._applied = None
        changes = diff(known, made.state, lambda item: owned(item, self._config.bridge) and _may_go(item, made))
        _report(changes)
        failures = self._network.apply(changes) if changes else ()
        if fresh:
            self._nft.apply(masquerade.render(self._config.cluster_ranges))
            self._observed_at = time.monotonic()
        if not failures:
            self._applied = made.state
        metrics.ROUTES.set(len(made.state.routes))
        return made, failures

    def _observe(self, sysctls: Sequence[str]) -> NetworkState:
        return self._network.observe(route_protocol=WEFT_PROTOCOL, neighbours=False, sysctls=sysctls)

    def _tell(self, problems: tuple[str, ...]) -> None:
        if problems != self._problems:
            self._problems = problems
            for problem in problems:
                _log.warning("pods cannot be reached: %s", problem)

    def _write_conflist(self) -> None:
        """By rename: a runtime that watches the directory reads a whole file."""
        write_atomically(self._config.conf_dir / CONFLIST, conflist.render())


def write_atomically(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(content)
        fresh.rename(path)
    except OSError as error:
        raise ValueError(f"cni-conf-dir: cannot write {path}: {error.strerror}") from None


def _may_go(item: object, made: Plan) -> bool:
    """The bridge's addresses stay while this node's range is not known."""
    return made.settings is not None or isinstance(item, Route)


def _is_route(failure: KernelError) -> bool:
    return isinstance(failure.what, Add | Replace | Remove) and isinstance(failure.what.item, Route)


def _report(changes: Sequence[Change]) -> None:
    for change in changes[:20]:
        _log.info("%s", change)
    if len(changes) > 20:
        _log.info("and %d changes more", len(changes) - 20)


def _joined(failures: Sequence[KernelError]) -> Exception:
    if len(failures) == 1:
        return failures[0]
    words = "; ".join(str(failure) for failure in failures[:3])
    return RuntimeError(f"{len(failures)} changes failed: {words}{' …' if len(failures) > 3 else ''}")


def _words(values: Sequence[object]) -> str:
    return ",".join(str(value) for value in values)
