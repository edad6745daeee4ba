"""Python modules with their byte code in one zip file, which Python imports from (PEP 273).

A node unpacks an image file by file: two thousand small ones cost it seconds, one large one a fraction.
"""

import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)


class ModuleArchive:
    """Sources and unchecked byte code (PEP 552), stored and not compressed, the same bytes for the same modules."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._files: dict[str, bytes] = {}

    def add(self, name: str, source: Path) -> None:
        """`name` is the path in the archive: `asyncio/events.py`."""
        text = source.read_bytes()
        self._files[name] = text
        if source.suffix == ".py" and (code := byte_code(text, f"{self._where}/{name}")):
            self._files[name + "c"] = code

    def content(self) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(self._files):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.external_attr = 0o644 << 16
                archive.writestr(info, self._files[name])
        return buffer.getvalue()


def byte_code(text: bytes, path: str) -> bytes | None:
    """What a .pyc file holds; None for what does not compile (templates, tests of other versions)."""
    try:
        code = compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    header = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + importlib.util.source_hash(text)
    return header + marshal.dumps(code)
