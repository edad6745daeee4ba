"""`weft`: a pod's eth0 on the node's bridge, with an address of each of the node's ranges."""

from weft.cni.plugins.weft.config import Settings
from weft.cni.plugins.weft.model import Attachment
from weft.cni.plugins.weft.plugin import WeftPlugin

__all__ = ["Attachment", "Settings", "WeftPlugin"]
