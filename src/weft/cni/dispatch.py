"""One skeleton for all plugins: environment and standard input in, standard output and exit status out. Pure.

Nothing but the plugins' own methods touches the system, so the whole protocol is tested with arguments.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from weft.cni import version
from weft.cni.errors import INTERNAL, INVALID_CONFIG, CniError
from weft.cni.request import Request, parse, parse_config
from weft.cni.result import Result, render


class Plugin(Protocol):
    """Each method raises CniError, whose code and words the runtime shows to people."""

    def add(self, request: Request) -> Result | dict[str, Any]:
        """Attaches; a plugin further down a chain may give the previous result's document back."""
        ...

    def delete(self, request: Request) -> None:
        """Detaches; no error for what is gone already."""
        ...

    def check(self, request: Request) -> None: ...

    def gc(self, request: Request) -> None: ...

    def status(self, request: Request) -> None: ...


def dispatch(plugins: Mapping[str, Plugin], environment: Mapping[str, str], stdin: bytes) -> tuple[bytes, int]:
    """Finds the plugin by the configuration's `type` and calls it. Returns standard output and exit status.

    Raises nothing but what a plugin's programming error raises.
    """
    try:
        return _answer(plugins, environment, stdin), 0
    except CniError as error:
        return msgspec.json.encode(error.document(_asked(stdin))), 1


def failure(error: Exception) -> tuple[bytes, int]:
    """The answer where a plugin itself broke: the runtime gets a document all the same."""
    document = CniError(INTERNAL, f"internal error: {error!r}").document(version.CURRENT)
    return msgspec.json.encode(document), 1


def _answer(plugins: Mapping[str, Plugin], environment: Mapping[str, str], stdin: bytes) -> bytes:
    if environment.get("CNI_COMMAND") == "VERSION":
        return msgspec.json.encode({"cniVersion": _asked(stdin), "supportedVersions": version.SUPPORTED})
    request = parse(environment, stdin)
    plugin = plugins.get(request.config.type)
    if plugin is None:
        raise CniError(INVALID_CONFIG, f"type: {request.config.type!r} is not one of {', '.join(sorted(plugins))}")
    match request.verb:
        case "ADD":
            result = plugin.add(request)
            found = result if isinstance(result, dict) else render(result, request.config.version)
            return msgspec.json.encode(found)
        case "DEL":
            plugin.delete(request)
        case "CHECK":
            plugin.check(request)
        case "GC":
            plugin.gc(request)
        case "STATUS":
            plugin.status(request)
    return b""


def _asked(stdin: bytes) -> str:
    """The version to answer in: the configuration's, if it is one of ours."""
    try:
        asked = parse_config(stdin).version
    except CniError:
        return version.CURRENT
    return asked if asked in version.SUPPORTED else version.CURRENT
