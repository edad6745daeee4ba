"""`ready [ADDRESS] { monitor until-ready|continuously }`: 200 OK on /ready once every plugin says so."""

from collections.abc import Callable
from dataclasses import dataclass

from weft.dns.chain import Plugin, Serve, Site
from weft.dns.corefile import Directive, ServerBlock


@dataclass(frozen=True, slots=True)
class Config:
    address: tuple[str, int]
    continuously: bool = False


def parse(directive: Directive, block: ServerBlock) -> Config:
    address = directive.listen_address(directive.one("[HOST]:PORT") if directive.args else ":8181")
    continuously = False
    for item in directive.block:
        if item.name != "monitor":
            raise item.unknown(("monitor",))
        continuously = item.choice(("until-ready", "continuously")) == "continuously"
    return Config(address, continuously)


class Readiness:
    """What is not ready yet; one that was ready once is not asked again, unless `continuously`."""

    def __init__(self, checks: dict[str, Callable[[], bool]], continuously: bool) -> None:
        self._waiting = checks
        self._continuously = continuously

    def missing(self) -> list[str]:
        missing = [name for name, check in self._waiting.items() if not check()]
        if not self._continuously:
            self._waiting = {name: self._waiting[name] for name in missing}
        return missing


def build(config: Config, next_: Serve, site: Site) -> Serve:
    # The plugins after this one are built already, so site.ready is whole.
    site.readiness.append((config.address, Readiness(dict(site.ready), config.continuously).missing))
    return next_


PLUGIN = Plugin("ready", parse, build)
