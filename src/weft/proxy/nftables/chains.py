"""The chains that all Services share, named for what they do and made when first needed.

pick-3             one of 3 endpoints, slots 0 to 2
pick-local-2       one of 2 endpoints on this node, slots LOCAL to LOCAL + 1
local-5-2          Local external policy: pods and the node itself to pick-5, others to pick-local-2
sticky-pick-3      the endpoint that the client had, else pick-3
record-600         remembers the client's endpoint for 600 s
"""

from weft.kernel.state.nft import (
    CT_ORIGINAL_DPORT,
    FIB_SADDR_TYPE,
    L4PROTO,
    Chain,
    DnatTo,
    Match,
    OneOf,
    Rule,
    Transaction,
    Update,
    concat,
    goto,
    rule,
    saddr,
)
from weft.proxy.nftables.layout import PROTOCOLS, Layout

LOCAL = 1 << 20
"""Where the slots of a Frontend's second set of endpoints begin."""


def pick(count: int) -> str:
    return f"pick-{count}"


def pick_local(count: int) -> str:
    return f"pick-local-{count}"


def local_policy(cluster: int, local: int) -> str:
    return f"local-{cluster}-{local}"


def sticky(chain: str) -> str:
    return f"sticky-{chain}"


def record(seconds: int) -> str:
    return f"record-{seconds}"


def needs(name: str) -> list[str]:
    """The chains that this one goes to."""
    word, *rest = name.split("-")
    if word == "sticky":
        return [name.removeprefix("sticky-")]
    if word == "local":
        cluster, local = map(int, rest)
        return [pick(cluster)] * (cluster > 0) + [pick_local(local)] * (local > 0)
    return []


def rules(layout: Layout, name: str) -> list[Rule]:
    """The rules of a shared chain. ValueError for a name that is none of them."""
    chain = layout.chain(name)
    match name.split("-"):
        case ["pick", count]:
            return _pick(layout, chain, int(count), 0)
        case ["pick", "local", count]:
            return _pick(layout, chain, int(count), LOCAL)
        case ["local", cluster, local]:
            return _local(layout, chain, int(cluster), int(local))
        case ["sticky", *_]:
            key = layout.affinity.key
            return [
                rule(chain, OneOf(L4PROTO, PROTOCOLS), DnatTo(key, layout.affinity)),
                rule(chain, goto(name.removeprefix("sticky-"))),
            ]
        case ["record", seconds]:
            return _record(layout, chain, int(seconds))
    raise ValueError(f"no chain is called {name!r}")


def _pick(layout: Layout, chain: Chain, count: int, offset: int) -> list[Rule]:
    """A packet may see the chain of before a change and the map of after it; then the first slot is there still."""
    carries = OneOf(L4PROTO, PROTOCOLS)
    first = rule(chain, carries, DnatTo(layout.slot(1, offset), layout.endpoints))
    if count == 1:
        return [first]
    return [rule(chain, carries, DnatTo(layout.slot(count, offset), layout.endpoints)), first]


def _local(layout: Layout, chain: Chain, cluster: int, local: int) -> list[Rule]:
    """Pods and the node itself are served as if they had gone out to the balancer and come in at a better node."""
    made = []
    if cluster and layout.options.cluster_cidr is not None:
        pods = Match(saddr(layout.family), layout.options.cluster_cidr)
        made.append(rule(chain, pods, goto(pick(cluster)), comment="pods"))
    if cluster:
        made.append(rule(chain, Match(FIB_SADDR_TYPE, "local"), goto(pick(cluster)), comment="this node"))
    if local:
        made.append(rule(chain, goto(pick_local(local))))
    return made


def _record(layout: Layout, chain: Chain, seconds: int) -> list[Rule]:
    original = layout.original.fields
    assert original[-1] is CT_ORIGINAL_DPORT
    key = concat(saddr(layout.family), *original)
    update = Update(key, layout.affinity, layout.endpoint, timeout=seconds)
    return [rule(chain, Match(L4PROTO, protocol), update) for protocol in PROTOCOLS]


def make(layout: Layout, names: set[str], known: set[str]) -> Transaction:
    """Makes the chains that are not known yet, what they go to first, and adds them to `known`."""
    transaction = Transaction()

    def visit(name: str) -> None:
        if name in known:
            return
        for other in needs(name):
            visit(other)
        known.add(name)
        transaction.add(layout.chain(name), *rules(layout, name))

    for name in sorted(names):
        visit(name)
    return transaction
