"""The kernel's nftables."""

from weft.kernel.real.nft.door import RealNft

__all__ = ["RealNft"]
