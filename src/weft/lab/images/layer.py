"""A layer: a tar stream of files, directories and links, the same bytes for the same contents (OCI image-spec)."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath


class Layer:
    """Collects entries by path in the image, then writes them sorted, without times or owners of this machine."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, Path | bytes | None]] = {}
        for path in ("bin", "dev", "etc", "proc", "root", "run", "sys", "usr/bin", "var/run"):
            self.directory(path)
        self.directory("tmp", 0o1777)
        self.directory("var/tmp", 0o1777)

    def __contains__(self, path: str) -> bool:
        return path.strip("/") in self._entries

    def directory(self, path: str, mode: int = 0o755) -> None:
        path = path.strip("/")
        if not path or path in self._entries:
            return
        self.directory(str(PurePosixPath(path).parent).strip("."))
        self._add(path, tarfile.DIRTYPE, mode, None)

    def content(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._parent(path)
        self._add(path.strip("/"), tarfile.REGTYPE, mode, data)

    def file(self, source: Path, path: str = "") -> None:
        """A file of this machine, at the same path unless told otherwise; symbolic links are followed."""
        path = path or str(source)
        self._parent(path)
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self._add(path.strip("/"), tarfile.REGTYPE, mode, source)

    def link(self, path: str, target: str) -> None:
        self._parent(path)
        self._add(path.strip("/"), tarfile.SYMTYPE, 0o777, None, target)

    def _parent(self, path: str) -> None:
        self.directory(str(PurePosixPath(path.strip("/")).parent).strip("."))

    def _add(self, path: str, kind: bytes, mode: int, content: Path | bytes | None, target: str = "") -> None:
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.linkname = kind, mode, target
        self._entries[path] = (info, content)

    def write(self, append: Callable[[bytes], object]) -> None:
        """Streams the tar archive."""
        with tarfile.open(fileobj=_Sink(append), mode="w|", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self._entries):
                info, content = self._entries[path]
                if isinstance(content, Path):
                    info.size = content.stat().st_size
                    with content.open("rb") as source:
                        archive.addfile(info, source)
                elif content is not None:
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
                else:
                    archive.addfile(info)


class _Sink(io.RawIOBase):
    def __init__(self, append: Callable[[bytes], object]) -> None:
        self._append = append

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        self._append(chunk)
        return len(chunk)
