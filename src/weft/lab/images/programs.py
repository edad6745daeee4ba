"""Which files a program of this machine needs to run elsewhere: itself, its interpreter, its shared libraries."""

import re
import shutil
import subprocess
from pathlib import Path

_LIBRARY = re.compile(rb"(/\S+)\s+\(0x")
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RESOLVERS = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""Loaded by libc when names are looked up; no program links to them."""


def find(name: str, package: str) -> Path:
    """The program's file; ValueError names the Debian package that has it."""
    found = shutil.which(name, path=_SEARCH)
    if not found:
        raise ValueError(f"program {name!r} is not on this machine (apt-get install {package})")
    return Path(found)


def libraries(program: Path) -> set[Path]:
    """The shared objects that the loader would map for `program` (ldd(1)), libc's resolver modules among them."""
    output = subprocess.run(["ldd", str(program)], capture_output=True, check=False, timeout=20).stdout
    found = {Path(match.decode()) for match in _LIBRARY.findall(output)}
    libc = next((path for path in found if path.name.startswith("libc.so")), None)
    if libc:
        found |= {path for name in _RESOLVERS if (path := libc.parent / name).exists()}
    return found
