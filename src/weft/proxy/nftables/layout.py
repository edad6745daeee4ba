"""The table `weft-proxy`: what is in it whatever Services there are. The same for IPv4 and IPv6.

    new connection ─► nat-prerouting, nat-output
                        └─ @services       address . protocol . port ─► goto pick-tcp-3
                             └─ pick-tcp-3  @endpoints-tcp  address . port . (random below 3) ─► endpoint . port

    translated ─► nat-postrouting, nat-input
                    ├─ @sticky     original destination ─► jump record-10800: remember the client's endpoint
                    ├─ @sources    original destination ─► masquerade, for what comes from outside
                    └─ @hairpin    a pod that reached itself ─► masquerade

    not translated ─► filter-input, filter-forward, filter-output
                        ├─ @refused      Services without endpoints ─► reject or drop
                        └─ @cluster-ips  other ports of a ClusterIP ─► reject; unassigned Service addresses ─► drop

No mark is used, so none can clash: what must be known after the translation is read from the original destination that
conntrack keeps. Chains are named for what they do and shared by all Services (see `chains`).
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from weft.addresses import Prefix
from weft.kernel.state.nft import (
    CT_ORIGINAL_DADDR4,
    CT_ORIGINAL_DADDR6,
    CT_ORIGINAL_DPORT,
    CT_STATE,
    CT_STATUS,
    DPORT,
    DROP,
    FIB_SADDR_TYPE,
    L4PROTO,
    SCTP_DPORT,
    TCP_DPORT,
    UDP_DPORT,
    Chain,
    Concat,
    Family,
    Field,
    Hook,
    InSet,
    Map,
    Masquerade,
    Match,
    Reject,
    Rule,
    Set,
    Statement,
    Table,
    Transaction,
    VerdictMap,
    concat,
    daddr,
    goto,
    jump,
    random_below,
    rule,
    saddr,
)

TABLE_NAME = "weft-proxy"
VERSION = 1
Protocol = Literal["tcp", "udp", "sctp"]
PROTOCOLS: dict[Protocol, Field] = {"tcp": TCP_DPORT, "udp": UDP_DPORT, "sctp": SCTP_DPORT}
DSTNAT, FILTER, SRCNAT = -100, 0, 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the administrator chose; part of the table's fixed rules."""

    cluster_cidr: Prefix | None = None
    """Where pods live: others are masqueraded on their way to a ClusterIP, and bound by Local external policies."""
    masquerade_all: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The table of one family, its sets and maps, and the keys by which rules look into them."""

    family: Family
    options: Options = Options()

    @property
    def table(self) -> Table:
        return Table(self.family, TABLE_NAME)

    @property
    def key_width(self) -> int:
        """Bytes of an address."""
        return 16 if self.family == "ip6" else 4

    @property
    def destination(self) -> Concat:
        return concat(daddr(self.family), L4PROTO, DPORT)

    def endpoint(self, protocol: Protocol) -> Concat:
        return concat(daddr(self.family), PROTOCOLS[protocol])

    def slot(self, protocol: Protocol, count: int, offset: int = 0) -> Concat:
        return concat(*self.endpoint(protocol).fields, random_below(count, offset))

    @property
    def original(self) -> Concat:
        """The destination before translation; behind a match of the protocol."""
        address: Field = CT_ORIGINAL_DADDR6 if self.family == "ip6" else CT_ORIGINAL_DADDR4
        return concat(address, L4PROTO, CT_ORIGINAL_DPORT)

    @property
    def services(self) -> Map:
        return Map(self.table, "services", self.destination)

    def endpoints(self, protocol: Protocol) -> Map:
        return Map(self.table, f"endpoints-{protocol}", self.slot(protocol, 2), data=self.endpoint(protocol))

    @property
    def sources(self) -> Map:
        return Map(self.table, "sources", self.destination)

    @property
    def sticky(self) -> Map:
        return Map(self.table, "sticky", self.destination)

    def affinity(self, protocol: Protocol) -> Map:
        """Client and destination → endpoint, kept by the kernel itself."""
        end = self.endpoint(protocol)
        name, key = f"affinity-{protocol}", concat(saddr(self.family), *end.fields)
        return Map(self.table, name, key, dynamic=True, timeout=10_800, size=1 << 20, data=end)

    @property
    def hairpin(self) -> Set:
        return Set(self.table, "hairpin", concat(saddr(self.family), daddr(self.family)))

    @property
    def refused(self) -> Map:
        return Map(self.table, "refused", self.destination)

    @property
    def guarded(self) -> Set:
        """Destinations that only some sources may call: those in `allowed`."""
        return Set(self.table, "guarded", self.destination)

    @property
    def allowed(self) -> Set:
        return Set(self.table, "allowed", concat(*self.destination.fields, saddr(self.family)), interval=True)

    @property
    def cluster_ips(self) -> Set:
        return Set(self.table, "cluster-ips", concat(daddr(self.family)))

    @property
    def service_ranges(self) -> Set:
        return Set(self.table, "service-ranges", concat(daddr(self.family)), interval=True)

    def sets(self) -> tuple[Set, ...]:
        return (
            self.services, *map(self.endpoints, PROTOCOLS), self.sources, self.sticky,
            *map(self.affinity, PROTOCOLS), self.hairpin, self.refused, self.guarded, self.allowed,
            self.cluster_ips, self.service_ranges,
        )  # fmt: skip

    def observed_sets(self) -> tuple[Set, ...]:
        """Those whose elements say what is programmed."""
        return (
            self.services, *map(self.endpoints, PROTOCOLS), self.sources, self.sticky, self.hairpin,
            self.refused, self.guarded, self.cluster_ips,
        )  # fmt: skip

    def chain(self, name: str, hook: Hook | None = None) -> Chain:
        return Chain(self.table, name, hook)

    def _rules(self) -> list[Chain | Rule]:
        return [*self._translation(), *self._aftermath(), *self._refusal(), *self._guard()]

    def _translation(self) -> list[Chain | Rule]:
        pre = self.chain("nat-prerouting", Hook("nat", "prerouting", DSTNAT))
        out = self.chain("nat-output", Hook("nat", "output", DSTNAT))
        look_up = VerdictMap(self.destination, self.services)
        return [pre, out, rule(pre, look_up), rule(out, look_up)]

    def _aftermath(self) -> list[Chain | Rule]:
        remember, translated = self.chain("remember"), self.chain("translated")
        masquerade, from_host = self.chain("masquerade-caller"), self.chain("masquerade-host")
        post = self.chain("nat-postrouting", Hook("nat", "postrouting", SRCNAT))
        into = self.chain("nat-input", Hook("nat", "input", SRCNAT))
        made: list[Chain | Rule] = [
            remember, translated, masquerade, from_host, post, into,
            rule(masquerade, Masquerade()),
            rule(from_host, Match(FIB_SADDR_TYPE, "local"), Masquerade()),
            rule(post, Match(CT_STATUS, "dnat"), jump(remember)),
            rule(post, Match(CT_STATUS, "dnat"), jump(translated)),
            rule(into, Match(CT_STATUS, "dnat"), jump(remember)),
        ]  # fmt: skip
        for protocol in PROTOCOLS:
            made.append(rule(remember, Match(L4PROTO, protocol), VerdictMap(self.original, self.sticky)))
        for protocol in PROTOCOLS:
            made.append(rule(translated, Match(L4PROTO, protocol), VerdictMap(self.original, self.sources)))
        pair = self.hairpin.key
        made.append(rule(translated, InSet(pair, self.hairpin), Masquerade(), comment="a pod that reached itself"))
        return [*made, *self._off_cluster(translated)]

    def _off_cluster(self, translated: Chain) -> list[Rule]:
        """Answers to a caller who is no pod might not come back this way, once the endpoint is on another node."""
        original = concat(self.original.fields[0])
        to_cluster_ip: tuple[Statement, ...] = (InSet(original, self.cluster_ips), Masquerade())
        if self.options.masquerade_all:
            return [rule(translated, *to_cluster_ip, comment="--masquerade-all")]
        if self.options.cluster_cidr is None:
            return []
        outside = Match(saddr(self.family), self.options.cluster_cidr, "!=")
        return [rule(translated, outside, *to_cluster_ip, comment="from outside the cluster to a ClusterIP")]

    def _refusal(self) -> list[Chain | Rule]:
        reject, refuse, unassigned = self.chain("reject-caller"), self.chain("refuse"), self.chain("unassigned")
        new = Match(CT_STATE, "new")
        made: list[Chain | Rule] = [
            reject, refuse, unassigned,
            rule(reject, Reject()),
            rule(refuse, VerdictMap(self.destination, self.refused)),
            rule(unassigned, InSet(self.cluster_ips.key, self.cluster_ips), goto(reject), comment="no such port"),
            rule(unassigned, InSet(self.service_ranges.key, self.service_ranges), DROP, comment="no such Service"),
        ]  # fmt: skip
        for hook in ("input", "forward", "output"):
            base = self.chain(f"filter-{hook}", Hook("filter", hook, FILTER))
            made += [base, rule(base, new, jump(refuse))]
            if hook != "input":
                made.append(rule(base, new, jump(unassigned)))
        return made

    def _guard(self) -> list[Chain | Rule]:
        guard = self.chain("guard")
        stranger = InSet(self.allowed.key, self.allowed, "!=")
        made: list[Chain | Rule] = [guard, rule(guard, InSet(self.destination, self.guarded), stranger, DROP)]
        for hook in ("prerouting", "output"):
            base = self.chain(f"guard-{hook}", Hook("filter", hook, DSTNAT - 10))
            made += [base, rule(base, Match(CT_STATE, "new"), jump(guard))]
        return made

    @property
    def names(self) -> set[str]:
        """The chains that are always there."""
        return {one.name for one in self._rules() if isinstance(one, Chain)}

    def fingerprint(self) -> str:
        """Changes whenever the fixed part does: a table with another one is replaced, one with this is taken over."""
        return sha256(Transaction().add(*self.sets(), *self._rules()).render().encode()).hexdigest()[:12]

    def skeleton(self) -> Transaction:
        """Replaces whatever table there was by one without Services, in one step."""
        table = Table(self.family, TABLE_NAME, self.comment())
        chains = [one for one in self._rules() if isinstance(one, Chain)]
        rules = [one for one in self._rules() if isinstance(one, Rule)]
        return Transaction().replace(table).add(*self.sets(), *chains, *rules)

    def comment(self) -> str:
        return f"weft proxy, layout {VERSION} {self.fingerprint()}"
