"""The steps that bring a pod up: control group, volumes, sandbox, images, containers, postStart hooks."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from weft.cluster.errors import ApiError
from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.client import Message
from weft.kubelet.cri.model import ImageFacts, PodRecord, RuntimeFault, Sandbox
from weft.kubelet.env.environment import ConfigError, Sources, environment, wanted
from weft.kubelet.env.fields import FieldError, Placement
from weft.kubelet.env.services import service_variables
from weft.kubelet.files.hosts import host_network_hosts, pod_hosts
from weft.kubelet.files.resolv import Resolver, parse, pod_resolver
from weft.kubelet.pods.container import container_config
from weft.kubelet.pods.decide import Start
from weft.kubelet.pods.hooks import HookError, run_hook
from weft.kubelet.pods.identity import MANAGED_HOSTNAME, domain, hostname
from weft.kubelet.pods.images import StartError
from weft.kubelet.pods.resources import cgroup_parent, pod_resources
from weft.kubelet.pods.sandbox import log_directory, sandbox_config
from weft.kubelet.pods.services import NodeServices
from weft.kubelet.volumes.mounts import container_mounts

_SERVICES_PATIENCE = 10.0
_log = logging.getLogger(__name__)


class Starter:
    def __init__(self, node: NodeServices) -> None:
        self._node = node

    def sandbox_message(self, pod: Pod, attempt: int) -> Message:
        """The sandbox's configuration: the same for the same pod and attempt, also after a restart."""
        config = self._node.config
        resolver, warnings = pod_resolver(
            pod, self._host_resolver(), config.cluster_dns, config.cluster_domain, config.node_addresses
        )
        for warning in warnings:
            self._node.tell(pod, None, "Warning", "DNSConfigForming", warning)
        name, subdomain = hostname(pod), domain(pod, config.cluster_domain)
        whole = f"{name}.{subdomain}" if pod.spec.set_hostname_as_fqdn and subdomain else name
        if len(whole) > MANAGED_HOSTNAME + 1:
            raise StartError("CreatePodSandboxError", f"hostname {whole!r} is longer than 64 characters")
        return sandbox_config(
            pod,
            attempt,
            hostname=whole,
            resolver=resolver,
            log_root=self._node.log_root(),
            cgroup_root=config.cgroup_root,
        )

    def _host_resolver(self) -> Resolver:
        path = self._node.config.resolv_conf
        try:
            return parse(Path(path).read_text()) if path else Resolver()
        except OSError as error:
            raise StartError("CreatePodSandboxError", f"--resolv-conf {path}: {error.strerror}") from None

    async def make_sandbox(self, pod: Pod, message: Message) -> None:
        """Raises RuntimeFault."""
        node, config = self._node, self._node.config
        Path(log_directory(pod, str(config.pod_log_dir))).mkdir(parents=True, exist_ok=True)
        node.cgroups.ensure(cgroup_parent(config.cgroup_root, pod), pod_resources(pod))
        async with node.slots.hold():
            await node.runtime.run_sandbox(message)

    async def start(
        self,
        pod: Pod,
        start: Start,
        record: PodRecord,
        sandbox: Sandbox,
        sandbox_message: Message,
        volumes: Mapping[str, Path],
        image: "asyncio.Future[ImageFacts]",
    ) -> None:
        """Creates and starts one container. Raises StartError with the reason of its waiting state."""
        container, runtime = start.container, self._node.runtime
        facts = await image
        target = _target(container, record)
        try:
            config = await self._container_message(pod, start, facts, sandbox, volumes, target)
        except (ConfigError, FieldError, ApiError, OSError) as error:
            raise self._failed(pod, container, "CreateContainerConfigError", str(error)) from None
        if start.leftover:
            await runtime.remove(start.leftover)
        async with self._node.slots.hold(begun=True):
            identity = await self._create(pod, container, sandbox, config, sandbox_message)
        await self._post_start(pod, container, identity, sandbox)

    async def _create(
        self, pod: Pod, container: Container, sandbox: Sandbox, config: Message, sandbox_message: Message
    ) -> str:
        """Creates and starts the container; its id."""
        try:
            identity = await self._node.runtime.create(sandbox.id, config, sandbox_message)
        except RuntimeFault as fault:
            raise self._failed(pod, container, "CreateContainerError", fault.message) from None
        self._node.tell(pod, container, "Normal", "Created", "Container created")
        try:
            await self._node.runtime.start(identity)
        except RuntimeFault as fault:
            raise self._failed(pod, container, "RunContainerError", fault.message) from None
        self._node.tell(pod, container, "Normal", "Started", "Container started")
        return identity

    def _failed(self, pod: Pod, container: Container, reason: str, message: str) -> StartError:
        self._node.tell(pod, container, "Warning", "Failed", f"Error: {message}")
        return StartError(reason, message)

    async def _post_start(self, pod: Pod, container: Container, identity: str, sandbox: Sandbox) -> None:
        hook = container.lifecycle.post_start if container.lifecycle else None
        if hook is None:
            return
        address = (sandbox.addresses or self._node.config.node_addresses or ("127.0.0.1",))[0]
        try:
            await run_hook(hook, container, identity, address, self._node.runtime)
        except HookError as error:
            _log.warning("postStart hook of %s in %s failed: %s", container.name, pod.metadata.key, error)
            self._node.tell(pod, container, "Warning", "FailedPostStartHook", "PostStartHook failed")
            grace = pod.spec.termination_grace_period_seconds
            await self._node.runtime.stop(identity, 30 if grace is None else max(grace, 2))
            raise StartError("PostStartHookError", str(error)) from None

    async def _container_message(
        self, pod: Pod, start: Start, image: ImageFacts, sandbox: Sandbox, volumes: Mapping[str, Path], target: str
    ) -> Message:
        container = start.container
        values = await self._environment(pod, container, sandbox)
        own = self._own_files(pod, start, sandbox)
        return container_config(
            pod,
            container,
            start.attempt,
            image=image,
            environment=values,
            mounts=container_mounts(container, volumes, values, own),
            memory_capacity=self._node.memory_capacity,
            cgroup_files=self._node.cgroups.container_files(),
            target=target,
        )

    async def _environment(self, pod: Pod, container: Container, sandbox: Sandbox) -> dict[str, str]:
        namespace = pod.metadata.namespace
        maps, secrets = wanted(container)
        found_maps, found_secrets = await asyncio.gather(
            self._node.reader.config_maps(namespace, maps), self._node.reader.secrets(namespace, secrets)
        )
        try:
            await asyncio.wait_for(self._node.services.synced.wait(), _SERVICES_PATIENCE)
        except TimeoutError:
            raise ConfigError("services have not yet been read at least once, cannot construct envvars") from None
        links = pod.spec.enable_service_links is not False
        variables = service_variables(self._node.services.objects.values(), namespace, links)
        sources = Sources(_texts(found_maps), _texts(found_secrets))
        return environment(pod, container, sources, variables, self.placement(pod, sandbox.addresses))

    def placement(self, pod: Pod, addresses: tuple[str, ...] = ()) -> Placement:
        config = self._node.config
        addresses = config.node_addresses if pod.spec.host_network else addresses or pod.addresses()
        return Placement(config.node_name, config.node_addresses, addresses, self._node.allocatable)

    def _own_files(self, pod: Pod, start: Start, sandbox: Sandbox) -> dict[str, Path]:
        """The kubelet's own files in the container; they lie where a restarted agent finds them again."""
        base = self._node.own_directory(pod.metadata.uid)
        directory = base / "containers" / start.container.name
        directory.mkdir(parents=True, exist_ok=True)
        words = directory / str(start.attempt)
        words.touch()
        words.chmod(0o666)
        hosts = base / "etc-hosts"
        if pod.spec.host_network:
            text = host_network_hosts(Path("/etc/hosts").read_text(), pod.spec.host_aliases or ())
        else:
            name, zone = hostname(pod), domain(pod, self._node.config.cluster_domain)
            text = pod_hosts(sandbox.addresses, name, zone, pod.spec.host_aliases or ())
        hosts.write_text(text)
        hosts.chmod(0o644)
        return {"/etc/hosts": hosts, start.container.termination_message_path: words}


def _target(container: Container, record: PodRecord) -> str:
    if not container.target_container_name:
        return ""
    found = record.latest(container.target_container_name)
    return found.id if found is not None and found.phase == "running" else ""


def _texts(found: Mapping[str, Mapping[str, bytes] | None]) -> dict[str, dict[str, str] | None]:
    return {
        name: None if data is None else {key: value.decode(errors="replace") for key, value in data.items()}
        for name, data in found.items()
    }
