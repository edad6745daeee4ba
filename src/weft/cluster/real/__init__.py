from weft.cluster.real.client import HttpCluster
from weft.cluster.real.kubeconfig import KubeConfig, KubeConfigError, load

__all__ = ["HttpCluster", "KubeConfig", "KubeConfigError", "load"]
