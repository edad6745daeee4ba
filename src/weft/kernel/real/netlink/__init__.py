"""Weft's own small rtnetlink: a pure codec, one file for each kind of object, and the socket."""

from weft.kernel.real.netlink.network import NetlinkNetwork

__all__ = ["NetlinkNetwork"]
