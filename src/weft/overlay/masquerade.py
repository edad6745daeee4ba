"""Pods' packets that leave the cluster take the node's address: table `inet weft-network`. Pure."""

from collections.abc import Sequence

from weft.addresses import Prefix
from weft.kernel.state.nft import Chain, Hook, Masquerade, Match, Rule, Table, Transaction, rule
from weft.kernel.state.nft.fields import FIB_DADDR_TYPE, IP6_DADDR, IP6_SADDR, IP_DADDR, IP_SADDR

TABLE = Table("inet", "weft-network", comment="pod network of Weft")
_CHAIN = Chain(TABLE, "postrouting", Hook("nat", "postrouting", 100))


def render(cluster_ranges: Sequence[Prefix]) -> Transaction:
    """The whole table, anew; connections that are under way keep their translation."""
    return Transaction().replace(TABLE).add(_CHAIN, *(_leaving(prefix) for prefix in cluster_ranges))


def _leaving(prefix: Prefix) -> Rule:
    source, destination = (IP_SADDR, IP_DADDR) if prefix.version == 4 else (IP6_SADDR, IP6_DADDR)
    return rule(
        _CHAIN,
        Match(source, prefix),
        Match(destination, prefix, "!="),
        Match(FIB_DADDR_TYPE, "unicast"),
        Masquerade(),
        comment=f"from {prefix} to anywhere else",
    )
