"""What Prometheus reads at /metrics (Prometheus docs, "Metric and label naming")."""

from prometheus_client import Counter, Gauge, Histogram

_QUICK = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)

ROUTES = Gauge("weft_network_routes", "Routes to other nodes' pod ranges")
SYNC_SECONDS = Histogram("weft_network_sync_seconds", "Time to make the plan true", buckets=_QUICK)
CNI_SECONDS = Histogram("weft_cni_request_seconds", "Time to serve a CNI request", ["verb"], buckets=_QUICK)
CNI_FAILURES = Counter("weft_cni_request_failures", "CNI requests that ended in an error", ["verb"])
ADDRESSES_IN_USE = Gauge("weft_ipam_addresses_in_use", "Pod addresses that are handed out", ["range"])
_VERBS = frozenset(("ADD", "DEL", "CHECK", "VERSION", "GC", "STATUS"))


def cni_served(verb: str, seconds: float, status: int) -> None:
    label = verb if verb in _VERBS else "other"
    CNI_SECONDS.labels(label).observe(seconds)
    if status:
        CNI_FAILURES.labels(label).inc()
