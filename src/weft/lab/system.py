"""The system's own images and objects: what a lab holds before its user says anything."""

import contextlib
import functools
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from weft import __version__
from weft.cluster.errors import AlreadyExists, NotFound
from weft.cluster.objects.resource import BY_KIND
from weft.cluster.port import Cluster
from weft.lab.containerd import PAUSE_IMAGE
from weft.lab.images.build import Definition, build
from weft.lab.images.definitions import definitions
from weft.lab.images.reference import parse
from weft.lab.images.store import ImageStore
from weft.lab.layout import IMAGE_CACHE

_WEEK = 7 * 24 * 3600


@functools.cache
def weft_image() -> str:
    """The image that DNS and Ingress run from. Its tag tells the contents, so a changed installation is a new image."""
    package = Path(__file__).parents[1]
    stamp = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        facts = path.stat()
        stamp.update(f"{path.relative_to(package)} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return f"registry.weft.local/weft:{__version__}-{stamp.hexdigest()[:12]}"


def image_definitions() -> dict[str, Definition]:
    return definitions(weft_image(), PAUSE_IMAGE)


def build_into(
    store: ImageStore, name: str, definition: Definition, report: Callable[[str], None], *, anew: bool = False
) -> None:
    """Builds once per machine, in the cache that all labs share, and links the result into the lab's store.

    `anew` builds whatever the cache holds: the machine's programs may have changed.
    """
    cache = ImageStore(_cache())
    references = [parse(reference) for reference in definition.names]
    if anew or any(cache.resolve(reference) is None for reference in references):
        if definition.base and cache.resolve(parse(definition.base)) is None:
            report("building image runtime")
            build(cache, image_definitions()["runtime"])
        report(f"building image {name}")
        build(cache, definition)
    for reference in references:
        store.adopt(cache, reference)


@functools.cache
def _cache() -> Path:
    """A directory for this version of the definitions. Those of other versions go when nothing was built in them for a
    week: another checkout may be using its own right now.
    """
    stamp = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "images").iterdir()):
        if path.is_file():
            stamp.update(path.read_bytes())
    own = IMAGE_CACHE / stamp.hexdigest()[:12]
    for other in IMAGE_CACHE.glob("*"):
        if other != own and other.stat().st_mtime < time.time() - _WEEK:
            shutil.rmtree(other, ignore_errors=True)
    return own


def system_images(report: Callable[[str], None]) -> Callable[[ImageStore], None]:
    def work(store: ImageStore) -> None:
        known = image_definitions()
        for name in ("pause", "weft"):
            build_into(store, name, known[name], report)

    return work


async def ensure_objects(cluster: Cluster, objects: Iterable[dict[str, Any]]) -> None:
    """Creates what is missing; what is there stays as its users made it."""
    for obj in objects:
        resource, meta = BY_KIND[obj["apiVersion"], obj["kind"]], obj["metadata"]
        try:
            # Looked for first: a second Service of the same address is refused for the address, not for the name.
            await cluster.get(resource, meta["name"], meta.get("namespace", ""), as_=dict[str, Any])
        except NotFound:
            with contextlib.suppress(AlreadyExists):
                await cluster.create(resource, obj)
