"""What a runtime asks: environment and standard input, checked (CNI spec 1.1.0, section 2). Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from weft.cni import version
from weft.cni.errors import DECODING_FAILURE, INVALID_CONFIG, INVALID_ENVIRONMENT, CniError

_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*\Z")
_NAMED = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "GC": (),
    "STATUS": (),
}


class Attached(msgspec.Struct, frozen=True):
    """One entry of `cni.dev/valid-attachments`: what GC leaves alone."""

    container: str = msgspec.field(name="containerID")
    ifname: str


class Config(msgspec.Struct, frozen=True):
    """The keys of a network configuration that every plugin has; `raw` keeps all of them."""

    type: str = ""
    name: str = ""
    version: str = msgspec.field(default="0.1.0", name="cniVersion")
    previous: dict[str, Any] | None = msgspec.field(default=None, name="prevResult")
    runtime: dict[str, Any] | None = msgspec.field(default=None, name="runtimeConfig")
    valid: tuple[Attached, ...] | None = msgspec.field(default=None, name="cni.dev/valid-attachments")


class Request(msgspec.Struct, frozen=True):
    verb: str
    config: Config
    container: str = ""
    netns: str = ""
    ifname: str = ""
    args: dict[str, str] = {}
    path: str = ""


_config = msgspec.json.Decoder(Config)


def parse(environment: Mapping[str, str], stdin: bytes) -> Request:
    """Raises CniError that names the variable or key, never anything else, whatever the input."""
    verb = environment.get("CNI_COMMAND", "")
    if verb not in _NAMED:
        raise CniError(INVALID_ENVIRONMENT, f"CNI_COMMAND: {verb!r} is not one of {', '.join(version.VERBS)}")
    if missing := [name for name in _NAMED[verb] if not environment.get(name)]:
        raise CniError(INVALID_ENVIRONMENT, f"required env variables [{','.join(missing)}] missing")
    config = parse_config(stdin)
    version.require(config.version, verb)
    if not config.name or not _CONTAINER.match(config.name):
        raise CniError(
            INVALID_CONFIG, f"name: {config.name!r} is not a network's name (letters, digits, '_', '.', '-')"
        )
    request = Request(
        verb=verb,
        config=config,
        container=environment.get("CNI_CONTAINERID", ""),
        netns=environment.get("CNI_NETNS", ""),
        ifname=environment.get("CNI_IFNAME", ""),
        args=_args(environment.get("CNI_ARGS", "")),
        path=environment.get("CNI_PATH", ""),
    )
    if _NAMED[verb]:
        _check_names(request)
    return request


def parse_config(stdin: bytes) -> Config:
    try:
        return _config.decode(stdin)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CniError(DECODING_FAILURE, f"network configuration on standard input: {error}") from None


def _check_names(request: Request) -> None:
    if not _CONTAINER.match(request.container):
        raise CniError(
            INVALID_ENVIRONMENT, f"CNI_CONTAINERID: {request.container!r} holds a character that is not allowed"
        )
    name = request.ifname
    if name in (".", "..") or len(name.encode(errors="replace")) > 15:
        raise CniError(INVALID_ENVIRONMENT, f"CNI_IFNAME: {name!r} is not a name of 1 to 15 bytes")
    if any(sign in "/:" or sign.isspace() or not sign.isprintable() for sign in name):
        raise CniError(INVALID_ENVIRONMENT, f"CNI_IFNAME: {name!r} holds a character that is not allowed")


def _args(text: str) -> dict[str, str]:
    """`K8S_POD_NAME=web;K8S_POD_NAMESPACE=default`; unknown keys are of no concern to us."""
    pairs: dict[str, str] = {}
    for part in filter(None, text.split(";")):
        key, sign, value = part.partition("=")
        if not sign:
            raise CniError(INVALID_ENVIRONMENT, f"CNI_ARGS: invalid CNI_ARGS pair {part!r}")
        pairs[key] = value
    return pairs
