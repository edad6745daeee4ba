"""`loadbalance [round_robin]`: each reply begins with another address of the answer."""

import msgspec

from weft.dns.chain import Answer, Plugin, Serve, Site, then
from weft.dns.corefile import Directive, ServerBlock
from weft.dns.message.query import Query
from weft.dns.message.records import AAAA, A
from weft.dns.message.reply import Reply


def parse(directive: Directive, block: ServerBlock) -> None:
    directive.no_block()
    if directive.args:
        directive.choice(("round_robin",))


def turned(reply: Reply, by: int) -> Reply:
    """The reply with its addresses turned around by `by` places, behind the aliases that lead to them."""
    addresses = [record for record in reply.answer if record.type in (A, AAAA)]
    others = [record for record in reply.answer if record.type not in (A, AAAA)]
    start = by % len(addresses) if addresses else 0
    return msgspec.structs.replace(reply, answer=(*others, *addresses[start:], *addresses[:start]))


def _mark(reply: Reply) -> Reply:
    if sum(record.type in (A, AAAA) for record in reply.answer) < 2:
        return reply
    return msgspec.structs.replace(reply, rotate=True)


def build(config: None, next_: Serve, site: Site) -> Serve:
    def serve(query: Query) -> Answer:
        return then(next_(query), _mark)

    return serve


PLUGIN = Plugin("loadbalance", parse, build)
