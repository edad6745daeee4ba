"""`kubernetes [ZONES…] { … }` → its configuration."""

from dataclasses import dataclass

from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names

PROPERTIES = (
    "pods", "endpoint_pod_names", "namespaces", "labels", "namespace_labels", "ttl", "noendpoints", "fallthrough",
    "ignore", "kubeconfig", "startup_timeout",
)  # fmt: skip
_REVERSE = (b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0")


@dataclass(frozen=True, slots=True)
class Config:
    zones: tuple[bytes, ...]
    pods: str = "disabled"
    endpoint_pod_names: bool = False
    namespaces: tuple[str, ...] = ()
    labels: str = ""
    namespace_labels: str = ""
    ttl: int = 5
    endpoints: bool = True
    fallthrough: tuple[bytes, ...] = ()
    ignore_empty: bool = False
    kubeconfig: str = ""
    context: str = ""
    startup_timeout: float = 5.0

    @property
    def primary(self) -> bytes:
        """The zone that reverse answers point into."""
        return next(zone for zone in self.zones if not is_reverse(zone))


def is_reverse(zone: bytes) -> bool:
    return any(names.is_within(zone, reverse) for reverse in _REVERSE)


def parse(directive: Directive, block: ServerBlock) -> Config:
    """Raises CorefileError."""
    zones = directive.zones(directive.args) or block.names
    if all(is_reverse(zone) for zone in zones):
        raise directive.error("has only reverse zones", "add the cluster's domain, such as cluster.local")
    values: dict[str, object] = {"zones": zones}
    for item in directive.block:
        values.update(_property(item))
    if values.get("namespaces") and values.get("namespace_labels"):
        raise directive.error("namespaces and namespace_labels exclude each other", "keep one of the two")
    return Config(**values)  # type: ignore[arg-type]


def _property(item: Directive) -> dict[str, object]:
    match item.name:
        case "pods":
            return {"pods": item.choice(("disabled", "insecure", "verified"))}
        case "endpoint_pod_names":
            item.none()
            return {"endpoint_pod_names": True}
        case "namespaces":
            return {"namespaces": item.some("NAMESPACE…")}
        case "labels" | "namespace_labels":
            return {item.name: " ".join(item.some("SELECTOR"))}
        case "ttl":
            return {"ttl": item.integer(item.one("SECONDS"), 0, 3600)}
        case "noendpoints":
            item.none()
            return {"endpoints": False}
        case "fallthrough":
            return {"fallthrough": item.zones(item.args) or (names.ROOT,)}
        case "ignore":
            item.choice(("empty_service",))
            return {"ignore_empty": True}
        case "kubeconfig":
            if len(item.some("FILE [CONTEXT]")) > 2:
                raise item.error(f"unexpected argument {item.args[2]!r}", "write `kubeconfig FILE [CONTEXT]`")
            return {"kubeconfig": item.args[0], "context": (*item.args, "")[1]}
        case "startup_timeout":
            return {"startup_timeout": item.duration(item.one("DURATION"))}
    raise item.unknown(PROPERTIES)
