"""The modes by name: how each is opened, shown and taken out of the kernel."""

import asyncio
import logging
from collections.abc import Callable

from weft.kernel.iptables import IptablesError
from weft.kernel.nft import NftError
from weft.kernel.real.iptables import RealIptables
from weft.kernel.real.nft import RealNft
from weft.proxy.config import Config
from weft.proxy.iptables.mode import IptablesMode, options
from weft.proxy.nftables.mode import NftablesMode, layouts
from weft.proxy.plan import Changes, Mode

_log = logging.getLogger(__name__)


def open_mode(config: Config) -> Mode:
    """The mode that the configuration asks for. Raises NftError or OSError where the kernel or a program is missing."""
    if not config.cluster_cidrs:
        _log.warning("--cluster-cidr is not given: calls of ClusterIPs from outside the cluster may go unanswered")
    return _OPENERS[config.mode](config)


def _nftables(config: Config) -> Mode:
    return NftablesMode(RealNft(), layouts(config.cluster_cidrs, masquerade_all=config.masquerade_all))


def _iptables(config: Config) -> Mode:
    return IptablesMode(RealIptables(), options(config.cluster_cidrs, masquerade_all=config.masquerade_all))


_OPENERS: dict[str, Callable[[Config], Mode]] = {"nftables": _nftables, "iptables": _iptables}


def shown(config: Config, entries: Changes) -> str:
    """What the mode would feed to the kernel, as text; empty where that is no text."""
    if config.mode == "iptables":
        return IptablesMode.render(options(config.cluster_cidrs, masquerade_all=config.masquerade_all), entries)
    if config.mode == "nftables":
        return NftablesMode.render(layouts(config.cluster_cidrs, masquerade_all=config.masquerade_all), entries)
    return ""


async def cleanup(config: Config) -> None:
    """Takes out of the kernel what any mode left there; a mode that cannot be here has left nothing."""
    for name, opener in _OPENERS.items():
        try:
            mode = await asyncio.to_thread(opener, config)
        except (NftError, IptablesError) as error:
            _log.debug("nothing of mode %s: %s", name, error)
            continue
        try:
            await mode.cleanup()
        finally:
            mode.close()
