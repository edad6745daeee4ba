"""Rotates logs that have grown too long: rename, let the runtime begin a new file, pack the older ones."""

import asyncio
import gzip
import logging
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from weft.kubelet.cri.client import Runtime
from weft.kubelet.cri.model import ContainerRecord, RuntimeFault

_EVERY = 10.0
_log = logging.getLogger(__name__)


async def rotate_for_ever(
    runtime: Runtime, running: Callable[[], Iterable[ContainerRecord]], max_bytes: int, max_files: int
) -> None:
    while True:
        await asyncio.sleep(_EVERY)
        for record in list(running()):
            path = Path(record.log_path) if record.log_path else None
            if path is None or not path.exists() or path.stat().st_size < max_bytes:
                continue
            try:
                await rotate(runtime, record.id, path, max_files)
            except (OSError, RuntimeFault) as error:
                _log.warning("log %s was not rotated: %s", path, error)


async def rotate(runtime: Runtime, container_id: str, path: Path, max_files: int) -> None:
    """`N.log` becomes `N.log.TIME`; at most `max_files` files are kept, the one in use among them."""
    await asyncio.to_thread(_pack, path, max_files)
    moved = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%d-%H%M%S}")
    path.rename(moved)
    try:
        await runtime.reopen_log(container_id)
    except RuntimeFault:
        moved.rename(path)  # the runtime still writes there
        raise


def _pack(path: Path, max_files: int) -> None:
    """All but the newest rotated file are packed: readers that follow may still be reading that one."""
    rotated = sorted(p for p in path.parent.glob(f"{path.name}.*") if not p.name.endswith(".tmp"))
    for old in rotated[: max(len(rotated) - (max_files - 2), 0)]:
        old.unlink()
        rotated.remove(old)
    for plain in rotated:
        if not plain.name.endswith(".gz"):
            temporary = plain.with_name(f"{plain.name}.tmp")
            with plain.open("rb") as source, gzip.open(temporary, "wb") as target:
                shutil.copyfileobj(source, target)
            temporary.rename(plain.with_name(f"{plain.name}.gz"))
            plain.unlink()
