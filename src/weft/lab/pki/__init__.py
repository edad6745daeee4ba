"""The lab's certificates, keys and kubeconfigs.

`ensure` completes the PKI of a lab in its directory, `kubeconfig` renders a file for one of its identities.
"""

from weft.lab.pki.kubeconfig import kubeconfig, write_kubeconfig
from weft.lab.pki.layout import IDENTITIES, NodePaths, PairPaths, Pki
from weft.lab.pki.store import ensure

__all__ = ["IDENTITIES", "NodePaths", "PairPaths", "Pki", "ensure", "kubeconfig", "write_kubeconfig"]
