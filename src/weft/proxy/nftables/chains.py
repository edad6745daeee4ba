"""The chains that all Services share, named for what they do and made when first needed.

pick-tcp-3         one of 3 endpoints, slots 0 to 2
pick-tcp-local-2   one of 2 endpoints on this node, slots LOCAL to LOCAL + 1
local-tcp-5-2      Local external policy: pods and the node itself to pick-tcp-5, others to pick-tcp-local-2
sticky-pick-tcp-3  the endpoint that the client had, else pick-tcp-3
record-600         remembers the client's endpoint for 600 s
"""

from weft.kernel.state.nft import (
    FIB_SADDR_TYPE,
    L4PROTO,
    Chain,
    DnatTo,
    Match,
    Rule,
    Transaction,
    Update,
    concat,
    goto,
    rule,
    saddr,
)
from weft.proxy.nftables.layout import PROTOCOLS, Layout, Protocol

LOCAL = 1 << 20
"""Where the slots of a Frontend's second set of endpoints begin."""


def pick(protocol: str, count: int) -> str:
    return f"pick-{protocol}-{count}"


def pick_local(protocol: str, count: int) -> str:
    return f"pick-{protocol}-local-{count}"


def local_policy(protocol: str, cluster: int, local: int) -> str:
    return f"local-{protocol}-{cluster}-{local}"


def sticky(chain: str) -> str:
    return f"sticky-{chain}"


def record(seconds: int) -> str:
    return f"record-{seconds}"


def needs(name: str) -> list[str]:
    """The chains that this one goes to."""
    match name.split("-"):
        case ["sticky", *rest]:
            return ["-".join(rest)]
        case ["local", protocol, cluster, local]:
            near, far = int(local), int(cluster)
            return [pick(protocol, far)] * (far > 0) + [pick_local(protocol, near)] * (near > 0)
    return []


def rules(layout: Layout, name: str) -> list[Rule]:
    """The rules of a shared chain. ValueError for a name that is none of them."""
    chain = layout.chain(name)
    match name.split("-"):
        case ["pick", protocol, count]:
            return _pick(layout, chain, _protocol(protocol), int(count), 0)
        case ["pick", protocol, "local", count]:
            return _pick(layout, chain, _protocol(protocol), int(count), LOCAL)
        case ["local", protocol, cluster, local]:
            return _local(layout, chain, protocol, int(cluster), int(local))
        case ["sticky", _, protocol, *_]:
            held = layout.affinity(_protocol(protocol))
            first = rule(chain, Match(L4PROTO, protocol), DnatTo(held.key, held))
            return [first, rule(chain, goto(name.removeprefix("sticky-")))]
        case ["record", seconds]:
            return [_record(layout, chain, protocol, int(seconds)) for protocol in PROTOCOLS]
    raise ValueError(f"no chain is called {name!r}")


def _protocol(word: str) -> Protocol:
    for known in PROTOCOLS:
        if known == word:
            return known
    raise ValueError(f"{word!r} is no protocol of Services")


def _pick(layout: Layout, chain: Chain, protocol: Protocol, count: int, offset: int) -> list[Rule]:
    """A packet may see the chain of before a change and the map of after it; then the first slot is there still."""
    carries, ends = Match(L4PROTO, protocol), layout.endpoints(protocol)
    first = rule(chain, carries, DnatTo(layout.slot(protocol, 1, offset), ends))
    if count == 1:
        return [first]
    return [rule(chain, carries, DnatTo(layout.slot(protocol, count, offset), ends)), first]


def _local(layout: Layout, chain: Chain, protocol: str, cluster: int, local: int) -> list[Rule]:
    """Pods and the node itself are served as if they had gone out to the balancer and come in at a better node."""
    made = []
    if cluster and layout.options.cluster_cidr is not None:
        pods = Match(saddr(layout.family), layout.options.cluster_cidr)
        made.append(rule(chain, pods, goto(pick(protocol, cluster)), comment="pods"))
    if cluster:
        own = Match(FIB_SADDR_TYPE, "local")
        made.append(rule(chain, own, goto(pick(protocol, cluster)), comment="this node"))
    if local:
        made.append(rule(chain, goto(pick_local(protocol, local))))
    return made


def _record(layout: Layout, chain: Chain, protocol: Protocol, seconds: int) -> Rule:
    """Behind the translation: the destination is the endpoint now, conntrack has the original one."""
    address, _, port = layout.original.fields
    key = concat(saddr(layout.family), address, port)
    update = Update(key, layout.affinity(protocol), layout.endpoint(protocol), timeout=seconds)
    return rule(chain, Match(L4PROTO, protocol), update)


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
