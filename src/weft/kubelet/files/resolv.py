"""/etc/resolv.conf of a pod by dnsPolicy and dnsConfig, within the limits that resolvers have ("Pod's DNS Policy",
"Pod's DNS Config"; resolv.conf(5)). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weft.cluster.objects.pod import DNSOption, Pod

MAX_SERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_CHARACTERS = 2048
MAX_NAME = 253


@dataclass(frozen=True, slots=True)
class Resolver:
    """What a resolv.conf says. Options as written: `ndots:5`."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        """The file as runtimes write it from CRI's DNSConfig: search, nameservers, options."""
        lines = [f"search {' '.join(self.searches)}\n"] if self.searches else []
        lines += [f"nameserver {server}\n" for server in self.servers]
        lines += [f"options {' '.join(self.options)}\n"] if self.options else []
        return "".join(lines)


def parse(text: str) -> Resolver:
    """Nameservers add up, the last search line wins, the last word on each option wins."""
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "search":
            searches = [word.removesuffix(".") for word in words[1:] if word != "."]
        elif words[0] == "options":
            options |= {word.partition(":")[0]: word for word in words[1:]}
    return Resolver(tuple(servers), tuple(searches), tuple(options.values()))


def pod_resolver(
    pod: Pod, host: Resolver, cluster_dns: Sequence[str], cluster_domain: str, node_addresses: Sequence[str] = ()
) -> tuple[Resolver, tuple[str, ...]]:
    """The pod's resolver, and warnings for its events (reason DNSConfigForming or MissingClusterDNS).

    `host` is the node's own; an empty one stands for `--resolv-conf=""`.
    """
    policy = pod.spec.dns_policy
    if policy == "None":
        base = Resolver()
    elif policy == "ClusterFirstWithHostNet" or (policy != "Default" and not pod.spec.host_network):
        base = _cluster_first(pod, host, cluster_dns, cluster_domain) if cluster_dns else host
    else:
        base = host
    if base == Resolver() and policy != "None":
        loopbacks = tuple("::1" if ":" in address else "127.0.0.1" for address in node_addresses) or ("127.0.0.1",)
        base = Resolver(loopbacks, (".",))
    if config := pod.spec.dns_config:
        base = Resolver(
            _unique((*base.servers, *(config.nameservers or ()))),
            _unique((*base.searches, *(config.searches or ()))),
            _merged(base.options, config.options or ()),
        )
    return _fitted(base)


def _cluster_first(pod: Pod, host: Resolver, cluster_dns: Sequence[str], cluster_domain: str) -> Resolver:
    if not cluster_domain:
        return Resolver(tuple(cluster_dns), host.searches, ("ndots:5",))
    own = (f"{pod.metadata.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
    return Resolver(tuple(cluster_dns), _unique((*own, *host.searches)), ("ndots:5",))


def _merged(options: Iterable[str], more: Iterable[DNSOption]) -> tuple[str, ...]:
    made = {option.partition(":")[0]: option for option in options}
    made |= {option.name: f"{option.name}:{option.value}" if option.value else option.name for option in more}
    return tuple(made.values())


def _fitted(resolver: Resolver) -> tuple[Resolver, tuple[str, ...]]:
    warnings: list[str] = []
    servers = resolver.servers
    if len(servers) > MAX_SERVERS:
        servers = servers[:MAX_SERVERS]
        warnings.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, "
            f"the applied nameserver line is: {' '.join(servers)}"
        )
    searches = tuple(name for name in resolver.searches[:MAX_SEARCHES] if len(name) <= MAX_NAME)
    while len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        searches = searches[:-1]
    if searches != resolver.searches:
        warnings.append(
            "Search Line limits were exceeded, some search paths have been omitted, "
            f"the applied search line is: {' '.join(searches)}"
        )
    return Resolver(servers, searches, resolver.options), tuple(warnings)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
