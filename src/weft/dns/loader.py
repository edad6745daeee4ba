"""Reading the Corefile and what it imports from disk."""

import glob
import hashlib
import os
from pathlib import Path

from weft.dns.corefile import ServerBlock, parse


class Loader:
    """`load()` reads everything again; `digest` then tells whether anything has changed."""

    def __init__(self, path: str, port: int) -> None:
        self._path = path
        self._port = port
        self.digest = ""
        """SHA-512 of all that was read last, also where it could not be parsed."""

    def load(self) -> tuple[ServerBlock, ...]:
        """Raises ValueError that names the file (and line)."""
        seen = hashlib.sha512()

        def read_files(pattern: str, importer: str) -> list[tuple[str, str]]:
            whole = os.path.join(os.path.dirname(importer), pattern)
            found = []
            for name in sorted(glob.glob(whole)):
                if os.path.isfile(name):
                    found.append((name, _read(name)))
                    seen.update(found[-1][1].encode())
            return found

        try:
            text = _read(self._path)
            seen.update(text.encode())
            return parse(text, self._path, port=self._port, environment=os.environ, read_files=read_files)
        finally:
            self.digest = seen.hexdigest()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text (save it as UTF-8)") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror} (name the Corefile with -conf FILE)") from None
