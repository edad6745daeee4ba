"""Every example of every README is served, and every command in them is run."""

import re
import shlex
from pathlib import Path

import pytest
from tests.dns.conftest import World, free_port

import weft.dns
from weft.dns.plugins import PLUGINS

FOLDER = Path(weft.dns.__file__).parent
READMES = sorted(FOLDER.rglob("README.md"))
_DEFAULTS = {"health": "8080", "ready": "8181", "prometheus": "9153"}


def test_every_plugin_has_one():
    assert {plugin.name for plugin in PLUGINS} == {path.parent.name for path in READMES} - {"dns"}


def on_loopback(corefile: str) -> str:
    """The example with free ports on loopback, so that it can run beside others."""
    lines = []
    for line in corefile.splitlines():
        name = line.strip().split(" ")[0]
        if name in _DEFAULTS:
            opening = " {" if line.endswith("{") else ""
            line = f"    {name} 127.0.0.1:{free_port()}{opening}"
        lines.append(line)
        if line.endswith("{") and not line.startswith(" ") and "bind 127.0.0.1" not in corefile:
            lines.append("    bind 127.0.0.1")
    return "\n".join(lines)


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
async def test_examples(cluster: World, path: Path):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.M | re.S)
    assert any(kind == "corefile" for kind, _ in blocks)
    for kind, text in blocks:
        if kind == "corefile":
            await cluster.reload(on_loopback(text))
        elif kind == "console":
            for command in text.strip().split("$ ")[1:]:
                line, _, wanted = command.partition("\n")
                got = await cluster.dig(*shlex.split(line)[1:])
                assert got.strip() == wanted.strip(), line
