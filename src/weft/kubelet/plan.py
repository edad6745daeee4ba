"""What the agent would do on a node where nothing runs yet, in words (`--dry-run`). Pure."""

from collections.abc import Iterable, Iterator

from weft.cluster.objects.pod import Pod
from weft.kubelet.config import Config
from weft.kubelet.cri.model import PodRecord
from weft.kubelet.node.facts import MachineFacts
from weft.kubelet.node.status import resources
from weft.kubelet.pods.backoff import Backoff
from weft.kubelet.pods.decide import decide
from weft.kubelet.pods.images import pull_policy
from weft.kubelet.pods.resources import cgroup_parent, qos_class


def plan(config: Config, facts: MachineFacts, pods: Iterable[Pod]) -> Iterator[str]:
    """One line for the node, then one for each pod and for each container that would be started first."""
    found = resources(config, facts)
    have = ", ".join(f"{name}={value}" for name, value in sorted(found.allocatable.items()))
    yield f"node {config.node_name} addresses={','.join(config.node_addresses)} allocatable: {have}"
    for pod in sorted(pods, key=lambda pod: pod.metadata.key):
        if pod.is_terminal or pod.is_deleting:
            yield f"pod {pod.metadata.key}: end and clean up"
            continue
        decision = decide(pod, PodRecord(), now=0.0, backoff=Backoff())
        group = cgroup_parent(config.cgroup_root, pod)
        yield f"pod {pod.metadata.key}: make sandbox qos={qos_class(pod)} cgroup={group}"
        for start in decision.start:
            container = start.container
            yield f"  start container {container.name} image={container.image} pull={pull_policy(container)}"
