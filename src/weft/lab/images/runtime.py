"""This machine's Python as an image layer: interpreter, standard library, and installed distributions.

Byte code goes along: a container's files are read-only or short-lived, and compiling at each start costs half a second.
"""

import importlib.metadata
import importlib.util
import marshal
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from weft.lab.images.build import add_libraries
from weft.lab.images.layer import Layer

_SITE = "usr/lib/weft/site-packages"
_LAUNCHER = b"""#!/usr/local/bin/python3 -I
import sys
sys.path.insert(0, "/usr/lib/weft/site-packages")
from weft.cli.main import main
sys.exit(main())
"""
_UNUSED = {"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
           "dist-packages", "__pycache__", "pydoc_data", "distutils"}  # fmt: skip
_LEFT_OUT = {"grpcio", "cryptography", "kubernetes-validate", "container-runtime-interface-api", "protobuf"}
"""Distributions that only the lab, the API server and the node agent import: most of the bytes, none of the use."""


def add_python(layer: Layer, distributions: Iterable[str] = ()) -> None:
    """Python at its own prefix, `python3` in /usr/local/bin, and `weft` beside it when asked for."""
    version = sysconfig.get_python_version()
    executable = Path(sys.base_prefix) / "bin" / f"python{version}"
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    layer.file(executable)
    add_libraries(layer, executable)
    for name in ("python3", "python"):
        layer.link(f"usr/local/bin/{name}", str(executable))
    for source in _stdlib_files(stdlib):
        layer.file(source)
        if source.suffix == ".py":
            _byte_code(layer, source, str(source))
        elif source.suffix == ".so":
            add_libraries(layer, source)
    wanted = _closure(distributions)
    for name in wanted:
        _distribution(layer, name)
    if wanted:
        layer.content("usr/local/bin/weft", _LAUNCHER, 0o755)


def _stdlib_files(stdlib: Path) -> Iterator[Path]:
    for path in sorted(stdlib.iterdir()):
        if path.name in _UNUSED or path.name.startswith("config-"):
            continue
        if path.is_dir():
            yield from (
                file
                for file in sorted(path.rglob("*"))
                if file.suffix in (".py", ".so") and not _UNUSED.intersection(file.relative_to(stdlib).parts)
            )
        elif path.suffix in (".py", ".so"):
            yield path


def _byte_code(layer: Layer, source: Path, path: str) -> None:
    """PEP 552 "unchecked" byte code: it stands whatever time stamps an unpacked layer has."""
    text = source.read_bytes()
    try:
        code = compile(text, path if path.startswith("/") else "/" + path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return  # templates and tests of other versions
    header = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + importlib.util.source_hash(text)
    tag = sys.implementation.cache_tag
    where = Path(path)
    layer.content(str(where.parent / "__pycache__" / f"{where.stem}.{tag}.pyc"), header + marshal.dumps(code))


def _closure(names: Iterable[str]) -> list[str]:
    """The distributions and what they require here and now, those left out aside."""
    found: dict[str, None] = {}
    todo = list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found or name in _LEFT_OUT:
            continue
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = None
        todo += [re.split(r"[\s;<>=!~\[(]", line, maxsplit=1)[0] for line in requires if "extra ==" not in line]
    return list(found)


def _distribution(layer: Layer, name: str) -> None:
    distribution = importlib.metadata.distribution(name)
    files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
    root = Path(str(distribution.locate_file("")))
    if name == "weft":
        package = Path(__file__).parents[2]
        files += [path for path in package.rglob("*") if path.is_file()]
    for source in sorted(set(files)):
        base = root if source.is_relative_to(root) and name != "weft" else Path(__file__).parents[3]
        relative = source.relative_to(base) if source.is_relative_to(base) else None
        if relative is None and source.is_relative_to(root):
            relative = source.relative_to(root)
        if relative is None or relative.parts[0] == ".." or not source.is_file() or "__pycache__" in relative.parts:
            continue
        path = f"{_SITE}/{relative}"
        layer.file(source, path)
        if source.suffix == ".py":
            _byte_code(layer, source, path)
        elif source.suffix == ".so":
            add_libraries(layer, source)
