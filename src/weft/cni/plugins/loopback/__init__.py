"""`loopback`: sets lo up. Every runtime calls it for every pod, so a node needs it in its CNI directory."""

from weft.cni.plugins.loopback.plugin import LoopbackPlugin

__all__ = ["LoopbackPlugin"]
