"""The modes by name: how each is opened, shown and taken out of the kernel."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from weft.kernel.iptables import IptablesError
from weft.kernel.ipvs import IpvsError
from weft.kernel.nft import NftError
from weft.kernel.real.bpf import RealBpf, clear, require
from weft.kernel.real.iptables import RealIptables
from weft.kernel.real.ipvs import RealIpvs
from weft.kernel.real.netlink import NetlinkNetwork
from weft.kernel.real.nft import RealNft
from weft.kernel.real.sockets import RealSockets, can_destroy, namespaces_below
from weft.proxy.auto import ORDER, choose
from weft.proxy.config import Config
from weft.proxy.ebpf.cookie import netns_cookie
from weft.proxy.ebpf.maps import ALL
from weft.proxy.ebpf.mode import EbpfMode
from weft.proxy.ebpf.programs import programs
from weft.proxy.iptables.mode import IptablesMode, options
from weft.proxy.link import ServiceLink
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Changes, Mode
from weft.proxy.userspace.doors import Sockets
from weft.proxy.userspace.mode import UserspaceMode

_log = logging.getLogger(__name__)
_HYBRID = Path("/sys/fs/cgroup/unified")


def open_mode(config: Config) -> Mode:
    """The mode that the configuration asks for. Raises NftError or OSError where the kernel or a program is missing."""
    if not config.cluster_cidrs:
        _log.warning("--cluster-cidr is not given: calls of ClusterIPs from outside the cluster may go unanswered")
    name = _chosen(config) if config.mode == "auto" else config.mode
    if name != "ebpf":
        # Programs that an ebpf mode left would go on with endpoints of then.
        clear(config.bpf_directory)
    return _OPENERS[name](config)


def _chosen(config: Config) -> str:
    name, why = choose({one: partial(_problem, one, config) for one in ORDER})
    _log.info("mode auto: %s (%s)", name, why)
    return name


def _problem(name: str, config: Config) -> str:
    """Sockets of the whole machine are translated only where somebody said so: it may be more than one node."""
    if name == "ebpf" and config.cgroup is None:
        return "--cgroup is not given"
    try:
        _OPENERS[name](config).close()
    except (NftError, OSError) as error:
        return str(error)
    return ""


def _nftables(config: Config) -> Mode:
    return NftablesMode(RealNft(), layouts(config.cluster_cidrs, masquerade_all=config.masquerade_all))


def _iptables(config: Config) -> Mode:
    return IptablesMode(RealIptables(), options(config.cluster_cidrs, masquerade_all=config.masquerade_all))


def _ebpf(config: Config) -> Mode:
    cookie = netns_cookie()
    require(ALL, programs(cookie))
    cgroup = config.cgroup or (_HYBRID if _HYBRID.exists() else Path("/sys/fs/cgroup"))
    sockets = RealSockets(partial(namespaces_below, cgroup)) if can_destroy() else None
    if sockets is None:
        _log.warning("sockets of removed UDP endpoints are not destroyed: the kernel lacks CONFIG_INET_DIAG_DESTROY")
    return EbpfMode(RealBpf(cgroup, config.bpf_directory), _nftables(config), sockets, cookie)


def _userspace(config: Config) -> Mode:
    return UserspaceMode(ServiceLink(NetlinkNetwork()), Sockets(), config.cluster_cidrs)


def _ipvs(_config: Config) -> Mode:
    """The kernel's door is there; who may call and who is masqueraded is not programmed beside it yet."""
    RealIpvs().close()
    raise IpvsError("--proxy-mode: ipvs is not there yet (use nftables)")


_OPENERS: dict[str, Callable[[Config], Mode]] = {
    "nftables": _nftables,
    "iptables": _iptables,
    "ebpf": _ebpf,
    "userspace": _userspace,
    "ipvs": _ipvs,
}


def shown(config: Config, entries: Changes) -> str:
    """What the mode would feed to the kernel, as text; empty where that is no text."""
    if config.mode == "iptables":
        return IptablesMode.render(options(config.cluster_cidrs, masquerade_all=config.masquerade_all), entries)
    if config.mode in ("nftables", "ebpf", "auto"):
        return NftablesMode.render(layouts(config.cluster_cidrs, masquerade_all=config.masquerade_all), entries)
    return ""


async def cleanup(config: Config) -> None:
    """Takes out of the kernel what any mode left there; a mode that cannot be here has left nothing."""
    clear(config.bpf_directory)
    for name, opener in _OPENERS.items():
        if name == "ebpf":
            continue
        try:
            mode = await asyncio.to_thread(opener, config)
        except (NftError, IptablesError, IpvsError) as error:
            _log.debug("nothing of mode %s: %s", name, error)
            continue
        try:
            await mode.cleanup()
        finally:
            mode.close()
