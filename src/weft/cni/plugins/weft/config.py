"""What the plugin must know of its node; the node's agent tells it, not the network configuration. Pure."""

from dataclasses import dataclass

from weft.addresses import Prefix


@dataclass(frozen=True, slots=True)
class Settings:
    bridge: str
    ranges: tuple[Prefix, ...]
    """The node's `spec.podCIDRs`; the first is the primary family."""
    mtu: int = 1500
    routed: bool = False
    """Pods reach even their neighbours on the bridge by way of the gateway. For kernels without br_netfilter: there a
    Service's answer would go straight from pod to pod, and nobody would translate its address back."""
