"""Where the volumes of this node's pods lie, and that they hold what they should.

ROOT/pods/UID/volumes/kubernetes.io~KIND/NAME      on disk
ROOT/memory/UID/NAME                               secrets and tokens: one tmpfs for all of them
ROOT/pods/UID/etc-hosts, …/containers/NAME/N       files of the kubelet's own
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from weft.cluster.errors import ApiError
from weft.cluster.objects.pod import Pod
from weft.cluster.objects.quantity import whole
from weft.cluster.objects.volume import EmptyDirSource, Volume
from weft.cluster.port import Cluster
from weft.kubelet.env.fields import FieldError, Placement
from weft.kubelet.volumes import atomic, hostpath
from weft.kubelet.volumes.mountpoint import mount_tmpfs, unmount
from weft.kubelet.volumes.objects import ObjectReader
from weft.kubelet.volumes.payload import Contents, VolumeError, needs, payload
from weft.kubelet.volumes.tokens import TokenSource

_PATIENCE = 20.0  # seconds that the API server has to hand out what a volume is made of


class VolumeManager:
    """`placement` gives what of a pod is known only on its node."""

    def __init__(
        self, cluster: Cluster, reader: ObjectReader, root: Path, placement: Callable[[Pod], Placement]
    ) -> None:
        self._root = root
        self._reader = reader
        self._tokens = TokenSource(cluster)
        self._placement = placement

    def prepare(self) -> None:
        """Makes the directories and the tmpfs. Call once, before the first pod; safe after a crash."""
        (self._root / "pods").mkdir(parents=True, exist_ok=True, mode=0o750)
        mount_tmpfs(self._memory, "mode=0711")

    @property
    def _memory(self) -> Path:
        return self._root / "memory"

    def pod_directory(self, uid: str) -> Path:
        return self._root / "pods" / uid

    async def setup(self, pod: Pod) -> dict[str, Path]:
        """Makes all volumes, or brings them up to date; name → path on this node. Raises VolumeError."""
        volumes = pod.spec.volumes or ()
        paths = await asyncio.gather(*(self._one(pod, volume) for volume in volumes))
        return dict(zip((volume.name for volume in volumes), paths, strict=True))

    async def _one(self, pod: Pod, volume: Volume) -> Path:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._make(pod, volume)
        except TimeoutError:
            reason = "timed out waiting for the API server"
        except (VolumeError, FieldError, ApiError) as error:
            reason = str(error)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise VolumeError(f'MountVolume.SetUp failed for volume "{volume.name}" : {reason}')

    async def _make(self, pod: Pod, volume: Volume) -> Path:
        if volume.empty_dir is not None:
            return self._empty_dir(pod, volume.name, volume.empty_dir)
        if volume.host_path is not None:
            return hostpath.prepare(volume.host_path)
        contents = await self._contents(pod, volume)
        files = payload(pod, volume, contents)
        if files is None:
            raise VolumeError("no volume plugin matched (weft knows those of pods' own life time, and hostPath)")
        path = self._payload_path(pod, volume)
        context = pod.spec.security_context
        user = context.run_as_user if context else None
        users = {c.security_context.run_as_user for c in pod.spec.containers if c.security_context}
        if len(users) == 1:
            user = next(iter(users)) if next(iter(users)) is not None else user
        atomic.write(path, files, group=context.fs_group if context else None, user=user)
        return path

    def _payload_path(self, pod: Pod, volume: Volume) -> Path:
        if volume.secret or volume.projected:
            return self._memory / pod.metadata.uid / volume.name
        kind = "configmap" if volume.config_map else "downward-api"
        return self.pod_directory(pod.metadata.uid) / "volumes" / f"kubernetes.io~{kind}" / volume.name

    async def _contents(self, pod: Pod, volume: Volume) -> Contents:
        wanted, namespace = needs(volume), pod.metadata.namespace
        maps, secrets, tokens = await asyncio.gather(
            self._reader.config_maps(namespace, wanted.config_maps),
            self._reader.secrets(namespace, wanted.secrets),
            self._tokens.tokens(pod, wanted.tokens),
        )
        return Contents(maps, secrets, tokens, self._placement(pod))

    def _empty_dir(self, pod: Pod, name: str, source: EmptyDirSource) -> Path:
        path = self.pod_directory(pod.metadata.uid) / "volumes" / "kubernetes.io~empty-dir" / name
        if path.exists() and (source.medium != "Memory" or os.path.ismount(path)):
            return path
        path.mkdir(parents=True, exist_ok=True)
        if source.medium == "Memory":
            mount_tmpfs(path, f"size={whole(source.size_limit)}" if source.size_limit else "")
        path.chmod(0o777)
        context = pod.spec.security_context
        if context and context.fs_group is not None:
            os.chown(path, -1, context.fs_group)
            path.chmod(0o2777)
        return path

    def teardown(self, uid: str) -> None:
        """Removes everything of a pod; what it never had is no error."""
        self._tokens.forget(uid)
        directory = self.pod_directory(uid)
        for path in directory.glob("volumes/kubernetes.io~empty-dir/*"):
            unmount(path)
        shutil.rmtree(self._memory / uid, ignore_errors=True)
        shutil.rmtree(directory, ignore_errors=True)

    def known_pods(self) -> set[str]:
        """Uids of pods that have left something here."""
        return {entry.name for base in ("pods", "memory") for entry in (self._root / base).iterdir()}
