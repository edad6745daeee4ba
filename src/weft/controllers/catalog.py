"""All controllers, by upstream's names. A new one is a line here."""

from collections.abc import Callable

from weft.controllers.cluster_roles import ClusterRoleAggregationController
from weft.controllers.context import Context, Controller
from weft.controllers.daemonset.controller import DaemonSetController
from weft.controllers.deployment.controller import DeploymentController
from weft.controllers.endpoints.controllers import (
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
)
from weft.controllers.garbage.controller import GarbageCollector
from weft.controllers.namespace.controller import NamespaceController
from weft.controllers.nodeipam.controller import NodeIpamController
from weft.controllers.nodelifecycle.controller import NodeLifecycleController
from weft.controllers.nodelifecycle.eviction import TaintEvictionController
from weft.controllers.pod_garbage import PodGarbageCollector
from weft.controllers.replicaset.controller import ReplicaSetController
from weft.controllers.root_ca import RootCaPublisher
from weft.controllers.service_accounts import ServiceAccountController

CONTROLLERS: dict[str, Callable[[Context], Controller]] = {
    "clusterrole-aggregation-controller": ClusterRoleAggregationController,
    "daemonset-controller": DaemonSetController,
    "deployment-controller": DeploymentController,
    "endpoints-controller": EndpointsController,
    "endpointslice-controller": EndpointSliceController,
    "endpointslice-mirroring-controller": EndpointSliceMirroringController,
    "garbage-collector-controller": GarbageCollector,
    "namespace-controller": NamespaceController,
    "node-ipam-controller": NodeIpamController,
    "node-lifecycle-controller": NodeLifecycleController,
    "pod-garbage-collector-controller": PodGarbageCollector,
    "replicaset-controller": ReplicaSetController,
    "root-ca-certificate-publisher-controller": RootCaPublisher,
    "serviceaccount-controller": ServiceAccountController,
    "taint-eviction-controller": TaintEvictionController,
}


def chosen(flag: str) -> tuple[str, ...]:
    """The controllers that `--controllers` names: `*` for all, NAME to add one, -NAME to leave one out."""
    terms = [term.strip() for term in flag.split(",") if term.strip()]
    known = frozenset(CONTROLLERS)
    for name in (term.removeprefix("-") for term in terms if term != "*"):
        if name not in known:
            raise ValueError(f"--controllers: {name!r} is not a controller (there are {', '.join(sorted(known))})")
    left_out = {term[1:] for term in terms if term.startswith("-")}
    return tuple(name for name in CONTROLLERS if name not in left_out and ("*" in terms or name in terms))
