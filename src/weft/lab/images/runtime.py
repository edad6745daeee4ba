"""This machine's Python as an image layer: interpreter, standard library, and installed distributions.

Byte code goes along: a container's files are read-only or short-lived, and compiling at each start costs half a second.
"""

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weft.lab.images.build import add_libraries
from weft.lab.images.layer import Layer
from weft.lab.images.modules import ModuleArchive, byte_code
from weft.lab.images.programs import libraries

_SITE = "usr/lib/weft/site-packages"
_ARCHIVE = "usr/lib/weft/weft.zip"
_LAUNCHER = b"""#!/usr/local/bin/python3 -I
import sys
sys.path[:0] = ["/usr/lib/weft/weft.zip", "/usr/lib/weft/site-packages"]
from weft.cli.main import main
sys.exit(main())
"""
_UNUSED = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
           "dist-packages", "__pycache__"}  # fmt: skip
_WORTHWHILE = 500_000
"""Bytes of a shared object from which taking off its debugging sections pays."""
_UNUSED_EXTENSIONS = ("_test", "_xxtest", "xxlimited", "_ctypes_test", "_tkinter")
_LEFT_OUT = {"grpcio", "cryptography", "kubernetes-validate", "container-runtime-interface-api", "protobuf"}
"""Distributions that only the lab, the API server and the node agent import: most of the bytes, none of the use."""


def add_python(layer: Layer) -> None:
    """Python at its own prefix, and `python3` in /usr/local/bin."""
    version = sysconfig.get_python_version()
    executable = Path(sys.base_prefix) / "bin" / f"python{version}"
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    layer.file(executable)
    for library in libraries(executable):
        _lean(layer, library, str(library))
    for name in ("python3", "python"):
        layer.link(f"usr/local/bin/{name}", str(executable))
    zipped = next(entry for entry in sys.path if entry.endswith(f"python{version.replace('.', '')}.zip"))
    modules = ModuleArchive(zipped)
    for source in _stdlib_files(stdlib):
        if source.suffix == ".py":
            modules.add(str(source.relative_to(stdlib)), source)
        else:
            _put(layer, source, str(source))
    layer.content(zipped, modules.content())
    layer.file(stdlib / "os.py")  # by this file Python finds where it is installed


def add_libraries_of_weft(layer: Layer) -> None:
    """The distributions that Weft's components in pods import."""
    for name in closure():
        _distribution(layer, name)


def add_weft(layer: Layer) -> None:
    """The package itself, and its command."""
    package = Path(__file__).parents[2]
    modules = ModuleArchive(f"/{_ARCHIVE}")
    for source in sorted(package.rglob("*")):
        if source.is_file() and source.suffix in (".py", ".json", ".yaml", ".typed"):
            modules.add(f"weft/{source.relative_to(package)}", source)
    layer.content(_ARCHIVE, modules.content())
    _distribution(layer, "weft")
    layer.content("usr/local/bin/weft", _LAUNCHER, 0o755)


def stamp() -> str:
    """Names the interpreter and the versions of those distributions: the same stamp, the same layers."""
    versions = [f"{name}={importlib.metadata.version(name)}" for name in sorted(closure())]
    return hashlib.sha256(" ".join([sys.version, sys.base_prefix, *versions]).encode()).hexdigest()[:12]


def _stdlib_files(stdlib: Path) -> Iterator[Path]:
    for path in sorted(stdlib.iterdir()):
        if path.name in _UNUSED or path.name.startswith("config-"):
            continue
        if path.is_dir():
            yield from (
                file
                for file in sorted(path.rglob("*"))
                if file.suffix in (".py", ".so")
                and not _UNUSED.intersection(file.relative_to(stdlib).parts)
                and not file.name.startswith(_UNUSED_EXTENSIONS)
            )
        elif path.suffix in (".py", ".so"):
            yield path


def closure() -> list[str]:
    """What Weft requires here and now, itself and those left out aside."""
    found: dict[str, None] = {}
    todo = list(_requires("weft"))
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name not in found and name not in _LEFT_OUT:
            try:
                todo += _requires(name)
            except importlib.metadata.PackageNotFoundError:
                continue  # for another Python or another system
            found[name] = None
    return list(found)


def _requires(name: str) -> list[str]:
    lines = importlib.metadata.requires(name) or []
    return [re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _distribution(layer: Layer, name: str) -> None:
    """Its files below site-packages; scripts and an editable installation's paths are left out."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
            continue
        if file.suffix in (".pth", ".pyx", ".pxd", ".pyi", ".c", ".h", ".cpp") or file.parts[0] == "weft":
            continue
        _put(layer, source, f"{_SITE}/{file}")


def _put(layer: Layer, source: Path, path: str) -> None:
    if path in layer:
        return
    if source.suffix == ".so":
        _lean(layer, source, path)
        add_libraries(layer, source)
        return
    layer.file(source, path)
    if source.suffix == ".py" and (code := byte_code(source.read_bytes(), f"/{path}")):
        where = Path(path)
        layer.content(f"{where.parent}/__pycache__/{where.stem}.{sys.implementation.cache_tag}.pyc", code)


def _lean(layer: Layer, source: Path, path: str) -> None:
    """A shared object without its debugging sections, where this machine can take them off: a third of the image."""
    strip = shutil.which("strip")
    if strip is None or source.stat().st_size < _WORTHWHILE:
        layer.file(source, path)
        return
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / source.name
        done = subprocess.run([strip, "--strip-debug", "-o", str(target), str(source)], check=False, timeout=60)
        layer.content(path, (target if done.returncode == 0 else source).read_bytes(), 0o755)
