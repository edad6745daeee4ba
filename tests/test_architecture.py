"""The rules of docs/architecture.md that import-linter cannot say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "weft"
IMPURE = {"asyncio", "socket", "subprocess", "os", "time", "random", "logging", "threading", "secrets", "aiohttp"}
PURE_PACKAGES = ("addresses", "cluster/objects", "kernel/state", "dns/message", "dns/corefile",
                 "apiserver/patch", "apiserver/selectors", "lab/config", "apiserver/kinds", "apiserver/tables",
                 "apiserver/discovery")  # fmt: skip
PURE_NAMES = {"model", "plan", "render", "topology", "diff", "allocator", "decide", "codec"}
COMPONENTS = ("apiserver", "controllers", "scheduler", "kubelet", "overlay", "proxy", "dns")
DOORS = {"weft.cluster.real", "weft.kernel.real.netlink.network", "weft.kernel.real.nft"}


def _modules() -> Iterator[Path]:
    return (path for path in sorted(SOURCE.rglob("*.py")))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif (
            isinstance(node, ast.ImportFrom) and node.module == "random" and [a.name for a in node.names] == ["Random"]
        ):
            continue  # the type of an argument
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def _is_pure(path: Path) -> bool:
    name = _name(path)
    return name.startswith(PURE_PACKAGES) or path.stem in PURE_NAMES


@pytest.mark.parametrize("path", [path for path in _modules() if _is_pure(path)], ids=_name)
def test_pure_modules_touch_nothing(path: Path) -> None:
    impure = {name for name in _imports(path) if name.split(".")[0] in IMPURE}
    assert not impure, f"{_name(path)} is pure by its name or its place, but imports {', '.join(sorted(impure))}"


def test_only_wiring_opens_the_real_doors() -> None:
    offenders = {
        _name(path): sorted(_imports(path) & DOORS)
        for component in COMPONENTS
        for path in (SOURCE / component).rglob("*.py")
        if path.name not in ("run.py", "modes.py") and _imports(path) & DOORS
    }
    assert offenders == {}


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_says_what_it_is(component: str) -> None:
    text = (SOURCE / component / "README.md").read_text()
    for heading in ("What", "Objects read", "Kernel state owned", "Run alone", "Metrics"):
        assert re.search(rf"^(#+ .*|\*\*){heading}", text, re.M | re.I), (
            f"{component}/README.md has no section {heading!r}"
        )
    for module in ("run.py", "__main__.py"):
        assert (SOURCE / component / module).exists()


def test_files_can_be_taken_in_at_a_sitting() -> None:
    long = {_name(path): lines for path in _modules() if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    assert not [_name(p) for p in SOURCE.rglob("*") if p.stem in ("utils", "util", "common", "helpers", "misc")]


def test_no_command_goes_through_a_shell() -> None:
    shell = re.compile(r"shell\s*=\s*True|os\.system\(|os\.popen\(")
    assert not [_name(path) for path in _modules() if shell.search(path.read_text())]
