"""Builds an image out of this machine's programs: layers, configuration, manifest. No registry, no compiler."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from weft.lab.images import programs
from weft.lab.images.archive import put_manifest
from weft.lab.images.layer import Layer
from weft.lab.images.reference import Reference, parse
from weft.lab.images.store import CONFIG, LAYER, Descriptor, ImageStore, descriptor

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Definition:
    """How an image is made. `fill` puts the files into the layer; `needs` maps programs to their Debian packages."""

    names: tuple[str, ...]
    needs: dict[str, str]
    fill: Callable[[Layer], None]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    stop_signal: str = ""
    base: str = ""
    """Another image of the same store, whose layers come first."""

    def configuration(self, diff_ids: list[str]) -> bytes:
        """OCI image-spec, "Image Configuration"."""
        settings: dict[str, object] = {"Env": [_PATH, *self.environment]}
        optional = {
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "ExposedPorts": {port: {} for port in self.ports},
            "User": self.user,
            "WorkingDir": self.workdir,
            "StopSignal": self.stop_signal,
        }
        settings.update({key: value for key, value in optional.items() if value})
        machine = platform.machine()
        return json.dumps(
            {
                "architecture": _ARCHITECTURES.get(machine, machine),
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": [{"created_by": "weft images build"} for _ in diff_ids],
            }
        ).encode()


def build(store: ImageStore, definition: Definition) -> list[Reference]:
    """Builds into `store` and names the result; ValueError names a program or package that is missing."""
    for program, package in definition.needs.items():
        programs.find(program, package)
    layers = _layers_of(store, parse(definition.base)) if definition.base else []
    layer = Layer()
    definition.fill(layer)
    if not layers:
        base_files(layer)
    layers.append(_write(store, layer))
    # The layers are not compressed, so their digests are those of their contents.
    config = store.put(definition.configuration([part.digest for part in layers]), CONFIG)
    manifest = put_manifest(store, config, layers)
    references = [parse(name) for name in definition.names]
    for reference in references:
        store.tag(reference, manifest)
    return references


def _layers_of(store: ImageStore, base: Reference) -> list[Descriptor]:
    manifest = store.resolve(base)
    if manifest is None:
        raise ValueError(f"image {base}: is not built yet")
    return [descriptor(part) for part in json.loads(store.blob(manifest.digest).read_bytes())["layers"]]


def _write(store: ImageStore, layer: Layer) -> Descriptor:
    digest, size = hashlib.sha256(), 0
    with store.writer() as append:

        def write(data: bytes) -> None:
            nonlocal size
            digest.update(data)
            size += len(data)
            append(data)

        layer.write(write)
    return Descriptor(LAYER, "sha256:" + digest.hexdigest(), size)


def base_files(layer: Layer) -> None:
    """What programs and the kubelet expect of any Linux image, unless the image has its own."""
    for path, text in (
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ):
        if path not in layer:
            layer.content(path, text.encode())


def add_programs(layer: Layer, names: Iterable[tuple[str, str]]) -> None:
    """Programs as (name, Debian package), at /usr/bin, with their libraries where the loader looks for them."""
    for name, package in names:
        program = programs.find(name, package)
        layer.file(program.resolve(), f"usr/bin/{name}")
        add_libraries(layer, program)


def add_libraries(layer: Layer, program: Path) -> None:
    for library in programs.libraries(program):
        if str(library) not in layer:
            layer.file(library)
