"""Metrics under kube-proxy's names (pkg/proxy/metrics), so that its dashboards and alerts go on working."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SYNC = [0.001 * 2**n for n in range(15)]
_PROGRAMMING = [0.25, 0.5, *map(float, range(1, 60)), *map(float, range(60, 120, 5)), *map(float, range(120, 301, 30))]


class Metrics:
    """One set for each process; `registry` is what /metrics shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.sync = Histogram(
            "kubeproxy_sync_proxy_rules_duration_seconds", "Time of one sync", buckets=_SYNC, registry=registry
        )
        self.full_sync = Histogram(
            "kubeproxy_sync_full_proxy_rules_duration_seconds",
            "Time of one sync of everything",
            buckets=_SYNC,
            registry=registry,
        )
        self.partial_sync = Histogram(
            "kubeproxy_sync_partial_proxy_rules_duration_seconds",
            "Time of one sync of what changed",
            buckets=_SYNC,
            registry=registry,
        )
        self.programming = Histogram(
            "kubeproxy_network_programming_duration_seconds",
            "Time from the change of a Service or Pod (endpoints.kubernetes.io/last-change-trigger-time) to the kernel",
            buckets=_PROGRAMMING,
            registry=registry,
        )
        self.last_sync = Gauge(
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "Time of the last good sync", registry=registry
        )
        self.last_queued = Gauge(
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "When a sync was last asked", registry=registry
        )
        self.endpoint_changes = Counter(
            "kubeproxy_sync_proxy_rules_endpoint_changes", "Changes of EndpointSlices", registry=registry
        )
        self.service_changes = Counter(
            "kubeproxy_sync_proxy_rules_service_changes", "Changes of Services", registry=registry
        )
        self.pending = Gauge(
            "kubeproxy_sync_proxy_rules_service_changes_pending",
            "Services whose changes are to come",
            registry=registry,
        )
        self.failures = Counter(
            "kubeproxy_sync_proxy_rules_nftables_sync_failures", "Syncs that the kernel refused", registry=registry
        )
        self.no_local = Gauge(
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
            "Frontends with a Local policy and no endpoint here",
            ["traffic_policy"],
            registry=registry,
        )
        self.healthz = Counter("kubeproxy_proxy_healthz", "Answers of /healthz", ["code"], registry=registry)
        self.livez = Counter("kubeproxy_proxy_livez", "Answers of /livez", ["code"], registry=registry)
        self.conntrack_deleted = Counter(
            "kubeproxy_conntrack_reconciler_deleted_entries", "Translations that were forgotten", registry=registry
        )
        self.frontends = Gauge("weft_proxy_frontends", "Addresses and ports that are programmed", registry=registry)
