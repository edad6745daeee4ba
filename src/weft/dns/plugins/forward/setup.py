"""`forward FROM TO… { … }` → its configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message import names

PROPERTIES = (
    "except", "force_tcp", "prefer_udp", "expire", "max_fails", "policy", "health_check", "max_concurrent",
)  # fmt: skip
_MOST_UPSTREAMS = 15


@dataclass(frozen=True, slots=True)
class Config:
    zone: bytes
    to: tuple[str, ...]
    """Addresses with ports, and files like /etc/resolv.conf, as written."""
    where: str
    """FILE:LINE, for errors while reading those files."""
    except_: tuple[bytes, ...] = ()
    force_tcp: bool = False
    expire: float = 10.0
    max_fails: int = 2
    policy: str = "random"
    health_every: float = 0.5
    health_name: bytes = names.ROOT
    health_recursion: bool = True
    max_concurrent: int = 0


def parse(directive: Directive, block: ServerBlock) -> Config:
    if len(directive.args) < 2:
        raise directive.error("names no upstream", "write `forward . /etc/resolv.conf` or `forward . 10.0.0.1:53`")
    zone, *to = directive.args
    values: dict[str, object] = {}
    for item in directive.block:
        values.update(_property(item))
    for target in to:
        if not target.startswith("/"):
            try:
                endpoint(target)
            except ValueError as error:
                raise directive.error(str(error), "give addresses or a file such as /etc/resolv.conf") from None
    if len(to) > _MOST_UPSTREAMS:
        raise directive.error(f"{len(to)} upstreams", f"give at most {_MOST_UPSTREAMS}")
    where = f"{directive.file}:{directive.line}"
    return Config(directive.zones([zone])[0], tuple(to), where, **values)  # type: ignore[arg-type]


def _property(item: Directive) -> dict[str, object]:
    match item.name:
        case "except":
            return {"except_": item.zones(item.some("NAME…"))}
        case "force_tcp":
            item.none()
            return {"force_tcp": True}
        case "prefer_udp":
            item.none()  # UDP comes first anyway
            return {}
        case "expire":
            return {"expire": item.duration(item.one("DURATION"))}
        case "max_fails":
            return {"max_fails": item.integer(item.one("NUMBER"), 0, 1000)}
        case "max_concurrent":
            return {"max_concurrent": item.integer(item.one("NUMBER"), 0, 1_000_000)}
        case "policy":
            return {"policy": item.choice(("random", "round_robin", "sequential"))}
        case "health_check":
            return _health_check(item)
    raise item.unknown(PROPERTIES)


def _health_check(item: Directive) -> dict[str, object]:
    every, *options = item.some("DURATION [no_rec] [domain NAME]")
    values: dict[str, object] = {"health_every": item.duration(every)}
    while options:
        option = options.pop(0)
        if option == "no_rec":
            values["health_recursion"] = False
        elif option == "domain" and options:
            values["health_name"] = item.zones([options.pop(0)])[0]
        else:
            raise item.error(f"unexpected argument {option!r}", "write `health_check DURATION [no_rec] [domain NAME]`")
    return values


def endpoint(text: str) -> tuple[str, int]:
    """Address and port of `10.0.0.1`, `10.0.0.1:1053`, `fd00::1`, `[fd00::1]:1053`, `dns://…`. Raises ValueError."""
    scheme, found, rest = text.partition("://")
    if found and scheme != "dns":
        raise ValueError(f"{text!r}: {scheme} is not spoken here, only plain DNS")
    plain = rest if found else text
    host, port = plain, "53"
    if plain.startswith("["):
        host, _, tail = plain[1:].partition("]")
        port = tail.removeprefix(":") or "53"
    elif plain.count(":") == 1:
        host, _, port = plain.partition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: {port!r} is not a port")
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        raise ValueError(f"{text!r} is neither an address nor the path of a file") from None
    return host, int(port)


def endpoints(
    config: Config, read: Callable[[str], str] = lambda path: Path(path).read_text()
) -> list[tuple[str, int]]:
    """All upstreams, those in files included; none where the files name none, as on a machine without a network.

    Raises ValueError that names file and line.
    """
    found: list[tuple[str, int]] = []
    for target in config.to:
        if not target.startswith("/"):
            found.append(endpoint(target))
            continue
        try:
            text = read(target)
        except OSError as error:
            raise ValueError(f"{config.where}: forward: {target}: {error.strerror} (name another file)") from None
        found += name_servers(text)
    return list(dict.fromkeys(found))[:_MOST_UPSTREAMS]


def name_servers(text: str) -> list[tuple[str, int]]:
    """The nameservers of a resolv.conf(5)."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(endpoint(f"[{words[1]}]"))
            except ValueError:
                continue
    return found
