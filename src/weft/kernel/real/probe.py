"""What this process and this kernel can do, found out by trying, before anything is half made."""

from typing import Literal, get_args

from weft.kernel.port import Network
from weft.kernel.real import netns
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.state.change import Add, Remove
from weft.kernel.state.link import Bridge, Kind, Link, Veth, Vxlan

Feature = Literal["veth", "bridge", "vxlan"]
"""Kinds of links; what nftables can do is asked of its own door."""

_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_TRIAL: dict[Feature, Kind] = {
    "veth": Veth(Link("probe1")),
    "bridge": Bridge(),
    "vxlan": Vxlan(1, "127.0.0.1"),
}
assert set(_TRIAL) == set(get_args(Feature))


def require(*features: Feature) -> None:
    """Raises ValueError with all that is missing, each with its remedy, in one line."""
    if problems := missing_capabilities() or missing_features(*features):
        raise ValueError("; ".join(problems))


def missing_capabilities() -> list[str]:
    effective = _effective_capabilities()
    wanted = {"CAP_NET_ADMIN": _CAP_NET_ADMIN, "CAP_SYS_ADMIN": _CAP_SYS_ADMIN}
    return [f"capability {name} is missing: run as root" for name, bit in wanted.items() if not effective >> bit & 1]


def missing_features(*features: Feature) -> list[str]:
    """Tries each in a namespace that is gone afterwards; the kernel loads its module on the way, if it has one."""
    return [problem for problem in netns.run_in_new(_try, features) if problem]


def _try(features: tuple[Feature, ...]) -> list[str | None]:
    with NetlinkNetwork() as network:
        return [_trial(network, feature) for feature in features]


def _trial(network: Network, feature: Feature) -> str | None:
    trial = Link("probe0", _TRIAL[feature], up=False)
    if failures := network.apply([Add(trial)]):
        return f"kernel feature {feature} is missing ({failures[0].strerror}): load module {feature}"
    network.apply([Remove(trial)])
    return None


def _effective_capabilities() -> int:
    with open("/proc/thread-self/status") as status:
        line = next(line for line in status if line.startswith("CapEff:"))
    return int(line.split()[1], 16)
