"""Brings images to the node by pull policy, with back-off, and with upstream's words about it ("Images")."""

import asyncio
import re
import time
from collections.abc import Callable

from weft.cluster.objects.container import Container
from weft.cluster.objects.pod import Pod
from weft.kubelet.cri.client import Message, Runtime
from weft.kubelet.cri.model import ImageFacts, RuntimeFault
from weft.kubelet.pods.backoff import Backoff
from weft.kubelet.volumes.objects import ObjectReader, registry_auth

Tell = Callable[[Pod, Container | None, str, str, str], None]
"""Records an event: pod, container, type, reason, message."""

_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/|\[[0-9a-fA-F:]+\](?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?"
)


class StartError(Exception):
    """A container cannot be started now: `reason` and `message` of its waiting state."""

    def __init__(self, reason: str, message: str, until: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.until = until
        """Unix time before which trying again is of no use."""


def pull_policy(container: Container) -> str:
    """As asked for, or by the tag: `latest` may change, any other may not."""
    if container.image_pull_policy:
        return container.image_pull_policy
    tag = container.image.rpartition("/")[2].partition(":")[2]
    return "Always" if (tag in ("", "latest") and "@" not in container.image) else "IfNotPresent"


def with_tag(image: str) -> str:
    """The reference with `:latest` where it has neither tag nor digest. Raises ValueError on a malformed one."""
    if not _REFERENCE.fullmatch(image):
        raise ValueError("invalid reference format")
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def registry(image: str) -> str:
    """The host that serves the image."""
    first, _, rest = image.partition("/")
    return first if rest and ("." in first or ":" in first or first == "localhost") else "docker.io"


class ImagePuller:
    def __init__(self, runtime: Runtime, reader: ObjectReader, tell: Tell, *, at_once: int = 4) -> None:
        self._runtime = runtime
        self._reader = reader
        self._tell = tell
        self._backoff = Backoff()
        self._failures: dict[str, str] = {}
        self._slots = asyncio.Semaphore(at_once)

    def forget(self, uid: str) -> None:
        self._backoff.forget(f"{uid}_")
        self._failures = {key: text for key, text in self._failures.items() if not key.startswith(f"{uid}_")}

    async def ensure(self, pod: Pod, container: Container, sandbox_config: Message) -> ImageFacts:
        """The image, on this node now. Raises StartError with the kubelet's reasons."""
        name, policy = container.image, pull_policy(container)
        try:
            reference = with_tag(name)
        except ValueError as error:
            message = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": {error}'
            self._tell(pod, container, "Warning", "InspectFailed", message)
            raise StartError("InvalidImageName", message) from None
        if policy != "Always":
            if found := await self._inspect(pod, container, reference):
                message = f'Container image "{name}" already present on machine and can be accessed by the pod'
                self._tell(pod, container, "Normal", "Pulled", message)
                return found
            if policy == "Never":
                message = f'Container image "{name}" is not present with pull policy of Never'
                self._tell(pod, container, "Warning", "ErrImageNeverPull", message)
                raise StartError("ErrImageNeverPull", message)
        return await self._pull(pod, container, reference, sandbox_config)

    async def _inspect(self, pod: Pod, container: Container, reference: str) -> ImageFacts | None:
        try:
            return await self._runtime.image(reference)
        except RuntimeFault as fault:
            message = f'Failed to inspect image "{reference}": {fault}'
            self._tell(pod, container, "Warning", "InspectFailed", message)
            raise StartError("ImageInspectError", message) from None

    async def _pull(self, pod: Pod, container: Container, reference: str, sandbox_config: Message) -> ImageFacts:
        name = container.image
        key, now = f"{pod.metadata.uid}_{reference}", time.time()
        until = self._backoff.until(key, self._backoff.updated(key))
        if now < until:
            message = f'Back-off pulling image "{name}"'
            self._tell(pod, container, "Normal", "BackOff", message)
            last = self._failures.get(key)
            raise StartError("ImagePullBackOff", f"{message}: {last}" if last else message, until)
        self._tell(pod, container, "Normal", "Pulling", f'Pulling image "{name}"')
        auth = await self._auth(pod, reference)
        try:
            async with self._slots:
                began = time.time()
                pulled = await self._runtime.pull(reference, sandbox_config, auth)
            image = await self._runtime.image(pulled) or await self._runtime.image(reference)
            if image is None:
                raise RuntimeFault("NotFound", f"image {pulled} is gone after it was pulled")
        except RuntimeFault as fault:
            self._tell(pod, container, "Warning", "Failed", f'Failed to pull image "{name}": {fault}')
            self._backoff.next(key, time.time(), time.time())
            self._failures[key] = f"ErrImagePull: {fault}"
            raise StartError("ErrImagePull", str(fault), self._backoff.until(key, time.time())) from None
        took, waited = _duration(time.time() - began), _duration(time.time() - now)
        self._tell(
            pod,
            container,
            "Normal",
            "Pulled",
            f'Successfully pulled image "{name}" in {took} ({waited} including waiting). '
            f"Image size: {image.size} bytes.",
        )
        return image

    async def _auth(self, pod: Pod, reference: str) -> Message | None:
        names = [secret.name for secret in pod.spec.image_pull_secrets or ()]
        if not names:
            return None
        found = await self._reader.secrets(pod.metadata.namespace, names)
        for name in names:
            config = (found.get(name) or {}).get(".dockerconfigjson")
            if config and (auth := registry_auth(config, registry(reference))):
                return auth
        return None


def _duration(seconds: float) -> str:
    """As Go prints a duration cut to milliseconds: `12ms`, `1.204s`."""
    millis = int(seconds * 1000)
    return f"{millis}ms" if millis < 1000 else f"{millis / 1000:g}s"
