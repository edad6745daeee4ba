"""Runs the probes of the containers that run, and remembers what they show."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from weft.cluster.objects.container import Container, Probe
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.model import ContainerRecord
from weft.kubelet.pods.decide import Kill
from weft.kubelet.pods.images import Tell
from weft.kubelet.probes.ask import ask
from weft.kubelet.probes.outcome import Outcome
from weft.kubelet.probes.verdict import Verdict, judge
from weft.kubelet.status.containers import Health

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watched:
    pod: Pod
    container: Container
    record: ContainerRecord
    address: str
    started: bool
    ready: bool
    failing: Kill | None = None
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class Prober:
    """`watch()` says which containers run now; `on_change(uid)` is called whenever a verdict changes."""

    def __init__(self, runtime: Runtime, tell: Tell, on_change: Callable[[str], None]) -> None:
        self._runtime = runtime
        self._tell = tell
        self._on_change = on_change
        self._watched: dict[str, dict[str, _Watched]] = {}

    def watch(self, pod: Pod, records: dict[str, tuple[Container, ContainerRecord]], address: str) -> None:
        """Begins with what is new in `records` (by container id), ends with what is gone."""
        mine = self._watched.setdefault(pod.metadata.uid, {})
        for gone in mine.keys() - records.keys():
            _cancel(mine.pop(gone))
        for identity, (container, record) in records.items():
            if identity not in mine:
                mine[identity] = self._begin(pod, container, record, address)
            else:
                mine[identity].pod, mine[identity].address = pod, address

    def forget(self, uid: str) -> None:
        for watched in self._watched.pop(uid, {}).values():
            _cancel(watched)

    def stop_killing_probes(self, uid: str) -> None:
        """A pod that ends is still asked whether it is ready, but not killed for being unwell."""
        for watched in self._watched.get(uid, {}).values():
            watched.failing = None
            for name in ("Liveness", "Startup"):
                if task := watched.tasks.pop(name, None):
                    task.cancel()

    def health(self, uid: str) -> Health:
        mine = self._watched.get(uid, {})
        return Health(
            frozenset(identity for identity, watched in mine.items() if watched.started),
            frozenset(identity for identity, watched in mine.items() if watched.started and watched.ready),
        )

    def failing(self, uid: str) -> dict[str, Kill]:
        """By container id: what is to be killed, and why."""
        return {i: watched.failing for i, watched in self._watched.get(uid, {}).items() if watched.failing}

    def _begin(self, pod: Pod, container: Container, record: ContainerRecord, address: str) -> _Watched:
        startup = container.startup_probe
        # After a restart of the agent, what was told of this very container still holds until it is asked again.
        told = _told_before(pod, record)
        watched = _Watched(
            pod, container, record, address, startup is None or told[0], container.readiness_probe is None or told[1]
        )
        if startup is not None and not watched.started:
            self._run(watched, "Startup", startup)
        else:
            self._run_others(watched)
        return watched

    def _run_others(self, watched: _Watched) -> None:
        for name, probe in (
            ("Readiness", watched.container.readiness_probe),
            ("Liveness", watched.container.liveness_probe),
        ):
            if probe is not None:
                self._run(watched, name, probe)

    def _run(self, watched: _Watched, name: str, probe: Probe) -> None:
        loop = asyncio.get_running_loop()
        watched.tasks[name] = loop.create_task(self._repeat(watched, name, probe), name=f"{name} probe")

    async def _repeat(self, watched: _Watched, name: str, probe: Probe) -> None:
        age = time.time() - watched.record.started_at
        await asyncio.sleep(max(0.0, probe.initial_delay_seconds - age))
        if age > probe.initial_delay_seconds + 5:  # found running: do not ask all at once
            await asyncio.sleep(random.uniform(0, min(probe.period_seconds, 2)))
        began = asyncio.get_running_loop().time()
        verdict = Verdict()
        while True:
            asked = asyncio.get_running_loop().time()
            outcome = await ask(probe, watched.container, watched.record.id, watched.address, self._runtime)
            now = asyncio.get_running_loop().time()
            verdict, pause, counts = judge(probe, verdict, outcome, now - began)
            if counts:
                self._report(watched, name, outcome)
            if verdict.healthy is not None and self._conclude(watched, name, probe, verdict.healthy):
                return
            await asyncio.sleep(max(0.0, asked + pause - now))

    def _report(self, watched: _Watched, name: str, outcome: Outcome) -> None:
        if outcome.result == "success":
            return
        text = f"{name} probe failed: {outcome.output}"
        if outcome.result == "error":
            text = f"{name} probe errored and resulted in unknown state: {outcome.output}"
        reason = "Unhealthy"
        if outcome.result == "warning":
            reason, text = "ProbeWarning", f"{name} probe warning: {outcome.output}"
        self._tell(watched.pod, watched.container, "Warning", reason, text)

    def _conclude(self, watched: _Watched, name: str, probe: Probe, healthy: bool) -> bool:
        """Notes the verdict; True where this probe has nothing more to do."""
        uid = watched.pod.metadata.uid
        if name == "Readiness":
            if watched.ready != healthy:
                watched.ready = healthy
                self._on_change(uid)
            return False
        if healthy:
            if name == "Startup":
                watched.started = True
                self._run_others(watched)
                self._on_change(uid)
            return name == "Startup"
        message = f"Container {watched.container.name} failed {name.lower()} probe, will be restarted"
        watched.failing = Kill(watched.record, message, probe.termination_grace_period_seconds)
        watched.ready = False
        self._on_change(uid)
        return True


def _told_before(pod: Pod, record: ContainerRecord) -> tuple[bool, bool]:
    for status in (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ())):
        if status.container_id.rpartition("//")[2] == record.id:
            return bool(status.started), status.ready
    return False, False


def _cancel(watched: _Watched) -> None:
    for task in watched.tasks.values():
        with contextlib.suppress(RuntimeError):  # the loop is closing
            task.cancel()
