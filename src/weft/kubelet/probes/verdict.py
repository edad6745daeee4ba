"""From a row of probe outcomes to a verdict: thresholds, and when to ask again. Pure; times in seconds."""

from dataclasses import dataclass, replace

from weft.cluster.objects.container import Probe
from weft.kubelet.probes.outcome import Outcome

_IMPATIENT = (0.05, 0.1, 0.2, 0.4, 0.8)
"""While nobody listens yet, a container that has just started is asked again after so many seconds. A connection that
is refused within the first period neither counts nor is told of: it only says that the program still begins."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one probe of one container has shown so far."""

    healthy: bool | None = None
    """None: neither threshold has been reached yet."""
    row: int = 0
    """Equal outcomes in a row: positive for success, negative for failure."""
    hurried: int = 0


def judge(probe: Probe, verdict: Verdict, outcome: Outcome, since_start: float) -> tuple[Verdict, float, bool]:
    """The new verdict, the seconds until the next probe, and whether the outcome counts (and is told)."""
    period = float(max(probe.period_seconds, 1))
    if outcome.refused and verdict.healthy is None and verdict.row == 0 and since_start < period:
        hurry = _IMPATIENT[min(verdict.hurried, len(_IMPATIENT) - 1)]
        if since_start + hurry < period:
            return replace(verdict, hurried=verdict.hurried + 1), hurry, False
    good = outcome.result in ("success", "warning")
    row = max(verdict.row, 0) + 1 if good else min(verdict.row, 0) - 1
    healthy = verdict.healthy
    if good and row >= max(probe.success_threshold, 1):
        healthy = True
    elif not good and -row >= max(probe.failure_threshold, 1):
        healthy = False
    return Verdict(healthy, row), period, True
