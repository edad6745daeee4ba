"""IPVS by generic netlink, without ipvsadm or ipset."""

from weft.kernel.real.ipvs.door import RealIpvs

__all__ = ["RealIpvs"]
