"""A query for one of the cluster's zones → its reply."""

import msgspec

from weft.dns.chain import Answer, Resolver, Serve, longest_match, then
from weft.dns.message import names
from weft.dns.message.query import NXDOMAIN, REFUSED, SERVFAIL, Query
from weft.dns.message.records import AAAA, AXFR, CNAME, IXFR, NS, PTR, SOA, SRV, TXT, A, Record, address, soa
from weft.dns.message.reply import FOREVER, Reply
from weft.dns.message.reverse import reverse_address
from weft.dns.plugins.kubernetes import records
from weft.dns.plugins.kubernetes.lookup import Found, Target, lookup, reverse
from weft.dns.plugins.kubernetes.setup import Config, is_reverse
from weft.dns.plugins.kubernetes.watch import Watches

_MAX_ALIASES = 10


class Kubernetes:
    def __init__(self, config: Config, watches: Watches, next_: Serve, resolver: Resolver) -> None:
        self._config = config
        self._watches = watches
        self._model = watches.model
        self._next = next_
        self._resolver = resolver

    def serve(self, query: Query) -> Answer:
        zone = longest_match(query.key, self._config.zones)
        if zone is None:
            return self._next(query)
        if query.type in (AXFR, IXFR):
            return Reply(REFUSED, by="kubernetes")
        if is_reverse(zone) and query.key != zone:
            return self._reverse(query, zone)
        labels = names.labels(query.key[: len(query.key) - len(zone)] + b"\0")
        if labels == [b"dns-version"] and query.type == TXT:
            return self._found((records.schema_version(query.name),))
        if labels == [b"ns", b"dns"]:
            return self._servers(query, zone)
        return self._named(query, zone, lookup(self._model, self._config, zone, labels))

    def _reverse(self, query: Query, zone: bytes) -> Answer:
        text = reverse_address(query.key)
        if text is None:
            return self._missing(query, zone, ())
        hosts = reverse(self._model, self._config, text)
        tags = (f"ip:{text}",)
        if not hosts:
            return self._missing(query, zone, tags)
        if query.type != PTR:
            return self._nothing_of_type(zone, tags)
        return self._found(records.pointers(query.name, hosts, self._config.ttl), tags=tags)

    def _named(self, query: Query, zone: bytes, found: Found) -> Answer:
        if found.targets is None:
            return self._missing(query, zone, found.tags)
        if query.type == SOA and query.key == zone:
            return self._found((self._soa(zone),))
        if query.type == NS and query.key == zone:
            return self._name_servers(query, zone)
        ttl = self._config.ttl
        if found.targets and found.targets[0].host:
            return self._alias(query, zone, found)
        if query.type in (A, AAAA):
            answer = records.addresses(query.name, query.type, found.targets, ttl)
            return self._found(answer, tags=found.tags) if answer else self._nothing_of_type(zone, found.tags)
        if query.type == SRV:
            answer, extra = records.services(query.name, found.targets, ttl)
            if answer:
                return self._found(answer, extra, found.tags)
        return self._nothing_of_type(zone, found.tags)

    def _alias(self, query: Query, zone: bytes, found: Found) -> Answer:
        """ExternalName: the CNAME, and for an address query also what it leads to."""
        assert found.targets
        try:
            record = records.alias(query.name, found.targets[0].host, self._config.ttl)
        except ValueError:
            return self._nothing_of_type(zone, found.tags)
        if query.type == CNAME:
            return self._found((record,), tags=found.tags)
        target = record.data.lower()
        if query.type not in (A, AAAA) or names.is_within(target, query.key):
            return self._nothing_of_type(zone, found.tags)
        if names.is_within(target, zone):
            answer = self._follow(query, zone, record)
            return self._found(answer, keep=0) if answer else self._nothing_of_type(zone, found.tags, keep=0)
        asked = msgspec.structs.replace(query, name=record.data, key=target)
        return then(self._resolver.resolve(asked), lambda reply: self._joined(zone, record, reply))

    def _follow(self, query: Query, zone: bytes, first: Record) -> tuple[Record, ...]:
        """The chain inside the zone, up to the addresses; nothing where it leads to none."""
        chain = [first]
        while len(chain) <= _MAX_ALIASES:
            name = chain[-1].data
            key = name.lower()
            if not names.is_within(key, zone) or any(record.name.lower() == key for record in chain):
                return ()
            labels = names.labels(key[: len(key) - len(zone)] + b"\0")
            targets: tuple[Target, ...] = lookup(self._model, self._config, zone, labels).targets or ()
            if not targets or not targets[0].host:
                addresses = records.addresses(name, query.type, targets, self._config.ttl)
                return (*chain, *addresses) if addresses else ()
            chain.append(records.alias(name, targets[0].host, self._config.ttl))
        return ()

    def _joined(self, zone: bytes, record: Record, reply: Reply) -> Reply:
        if reply.rcode == SERVFAIL or reply.error:
            return self._nothing_of_type(zone, (), keep=0)
        made = self._found((record, *reply.answer), keep=0)
        return msgspec.structs.replace(made, truncated=reply.truncated, live=False)

    def _servers(self, query: Query, zone: bytes) -> Reply:
        answer = tuple(
            record
            for record in (address(query.name, text, self._config.ttl) for _, text in self._own(zone))
            if record.type == query.type
        )
        return self._found(answer, keep=0) if answer else self._nothing_of_type(zone, (), keep=0)

    def _name_servers(self, query: Query, zone: bytes) -> Reply:
        ttl = self._config.ttl
        own = self._own(zone)
        answer = tuple(Record(query.name, NS, ttl, name) for name in dict.fromkeys(name for name, _ in own))
        extra = tuple(address(name, text, ttl) for name, text in own)
        return self._found(answer, extra, keep=0) if answer else self._nothing_of_type(zone, (), keep=0)

    def _own(self, zone: bytes) -> list[tuple[bytes, str]]:
        """Names and addresses of the Services that this server is an endpoint of; else `ns.dns` and its addresses."""
        found: dict[tuple[bytes, str], None] = {}
        for local in self._watches.local_addresses:
            for key, _ in self._model.slices_at(local):
                service = self._model.services.get(key)
                if service is None:
                    continue
                meta = service.metadata
                name = names.join([meta.name.encode(), meta.namespace.encode(), b"svc"], zone)
                found.update({(name, ip): None for ip in service.addresses if ip not in ("", "None")})
        return list(found) or [(names.join([b"ns", b"dns"], zone), text) for text in self._watches.local_addresses]

    def _soa(self, zone: bytes) -> Record:
        return soa(zone, self._model.serial, self._config.ttl)

    def _found(
        self,
        answer: tuple[Record, ...],
        extra: tuple[Record, ...] = (),
        tags: tuple[str, ...] = (),
        keep: float = FOREVER,
    ) -> Reply:
        return Reply(
            answer=answer, additional=extra, authoritative=True, keep=keep, live=True, tags=tags, by="kubernetes"
        )

    def _nothing_of_type(self, zone: bytes, tags: tuple[str, ...], keep: float = FOREVER) -> Reply:
        return Reply(authority=(self._soa(zone),), authoritative=True, keep=keep, live=True, tags=tags, by="kubernetes")

    def _missing(self, query: Query, zone: bytes, tags: tuple[str, ...]) -> Answer:
        if self._config.fallthrough and longest_match(query.key, self._config.fallthrough) is not None:
            answer = self._next(query)
            # Should the name come to exist, what the next plugin said must not be given any longer.
            return then(answer, lambda reply: msgspec.structs.replace(reply, tags=(*reply.tags, *tags)))
        synced = self._watches.synced()
        return Reply(
            NXDOMAIN if synced else SERVFAIL,
            authority=(self._soa(zone),),
            authoritative=True,
            keep=FOREVER if synced else 0.0,
            live=True,
            tags=tags,
            by="kubernetes",
        )
