"""Blobs by digest and names that point to manifests (OCI image-spec, "Image Layout").

Blobs are written once, by rename; the index is replaced whole. So a reader never sees half an image, and any number of
processes may read while one writes.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from weft.lab.images.reference import Reference, parse

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob and what it is; `size` in bytes."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def descriptor(document: dict[str, Any]) -> Descriptor:
    return Descriptor(document["mediaType"], document["digest"], document["size"])


class ImageStore:
    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._index = directory / "index.json"
        self._blobs.mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Where the blob lies; it may not be there."""
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or len(value) != 64 or not value.isalnum():
            raise ValueError(f"digest {digest!r}: only sha256 is known")
        return self._blobs / value

    def put(self, data: bytes, media_type: str) -> Descriptor:
        with self.writer() as write:
            write(data)
        return Descriptor(media_type, "sha256:" + hashlib.sha256(data).hexdigest(), len(data))

    def put_file(self, source: IO[bytes], media_type: str) -> Descriptor:
        digest, size = hashlib.sha256(), 0
        with self.writer() as write:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
                write(chunk)
        return Descriptor(media_type, "sha256:" + digest.hexdigest(), size)

    @contextmanager
    def writer(self) -> Iterator[Callable[[bytes], object]]:
        """A function that appends to a new blob; the blob gets its name when the block ends well."""
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self._blobs, prefix=".new-", delete=False) as file:
            try:

                def write(data: bytes) -> None:
                    digest.update(data)
                    file.write(data)

                yield write
                file.flush()
                os.rename(file.name, self._blobs / digest.hexdigest())
            except BaseException:
                os.unlink(file.name)
                raise

    def adopt(self, source: "ImageStore", reference: Reference) -> None:
        """Takes over an image of another store, by hard link where both lie on one file system."""
        manifest = source.resolve(reference)
        if manifest is None:
            raise ValueError(f"image {reference}: is not in the store")
        for digest in source.reachable(manifest):
            target = self.blob(digest)
            if not target.exists():
                try:
                    os.link(source.blob(digest), target)
                except OSError:
                    shutil.copyfile(source.blob(digest), target)
        self.tag(reference, manifest)

    def reachable(self, manifest: Descriptor) -> Iterator[str]:
        yield manifest.digest
        document = json.loads(self.blob(manifest.digest).read_bytes())
        for child in document.get("manifests", ()):
            if self.blob(child["digest"]).exists():
                yield from self.reachable(descriptor(child))
        for part in (document.get("config"), *document.get("layers", ())):
            if part:
                yield part["digest"]

    def tag(self, reference: Reference, manifest: Descriptor) -> None:
        """Makes `reference` mean `manifest`, whatever it meant before."""
        with self._locked():
            index = self._read()
            index[str(reference)] = manifest.as_json()
            temporary = self._index.with_suffix(".new")
            temporary.write_text(json.dumps(index, indent=1))
            temporary.replace(self._index)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._blobs, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(self._index.read_bytes())
        except FileNotFoundError:
            return {}
        return document

    def resolve(self, reference: Reference) -> Descriptor | None:
        """The manifest that a name or a digest stands for."""
        index = self._read()
        if reference.digest:
            prefix = f"{reference.registry}/{reference.repository}:"
            for name, document in index.items():
                if document["digest"] == reference.digest and name.startswith(prefix):
                    return descriptor(document)
            path = self.blob(reference.digest)
            if not path.exists():
                return None
            media_type = json.loads(path.read_bytes()).get("mediaType", MANIFEST)
            return Descriptor(media_type, reference.digest, path.stat().st_size)
        found = index.get(str(reference))
        return descriptor(found) if found else None

    def images(self) -> list[tuple[Reference, Descriptor, int]]:
        """Every name with its manifest and the sum of its layers' bytes, sorted by name."""
        rows = []
        for name, document in sorted(self._read().items()):
            manifest = descriptor(document)
            sizes = {digest: self.blob(digest).stat().st_size for digest in self.reachable(manifest)}
            rows.append((parse(name), manifest, sum(sizes.values())))
        return rows
