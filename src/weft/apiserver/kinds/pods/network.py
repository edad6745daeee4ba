"""Validation of what a pod says of its network: DNS settings, host aliases, ports of the node."""

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import legacy_address
from weft.apiserver.kinds.rules.errors import Errors, each, invalid, required
from weft.apiserver.registry.kind import Object

_MOST_SERVERS, _MOST_SEARCHES, _LONGEST_SEARCH = 3, 32, 2048


def dns_errors(spec: Object, field: str) -> Errors:
    config, alone = spec.get("dnsConfig"), spec.get("dnsPolicy") == "None"
    if alone and config is None:
        return [required(field, "must provide `dnsConfig` when `dnsPolicy` is None")]
    servers = (config or {}).get("nameservers") or []
    if alone and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [required(f"{field}.nameservers", detail)]
    if config is None:
        return []
    errors: Errors = []
    if len(servers) > _MOST_SERVERS:
        detail = f"must not have more than {_MOST_SERVERS} nameservers"
        errors.append(invalid(f"{field}.nameservers", servers, detail))
    for index, text in enumerate(servers):
        errors += legacy_address(f"{field}.nameservers[{index}]", text)
    errors += _searches(config.get("searches") or [], f"{field}.searches")
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{field}.options[{index}]", "must not be empty"))
    return errors


def _searches(searches: list[str], field: str) -> Errors:
    errors: Errors = []
    if len(searches) > _MOST_SEARCHES:
        errors.append(invalid(field, searches, f"must not have more than {_MOST_SEARCHES} search paths"))
    if len(" ".join(searches)) > _LONGEST_SEARCH:
        detail = f"must not have more than {_LONGEST_SEARCH} characters (including spaces) in the search list"
        errors.append(invalid(field, searches, detail))
    for index, text in enumerate(searches):
        bare = text.removesuffix(".")
        if text != ".":
            errors += each(f"{field}[{index}]", bare, names.subdomain_with_underscores(bare))
    return errors


def alias_errors(aliases: list[Object], field: str) -> Errors:
    errors: Errors = []
    for index, alias in enumerate(aliases):
        errors += legacy_address(f"{field}[{index}].ip", alias.get("ip", ""))
        for number, name in enumerate(alias.get("hostnames") or ()):
            errors += each(f"{field}[{index}].hostnames[{number}]", name, names.subdomain(name))
    return errors


def host_network_errors(spec: Object, field: str, *, is_pod: bool) -> Errors:
    """On the node's network a container's port is the node's."""
    if not spec.get("hostNetwork"):
        return []
    errors: Errors = []
    for index, container in enumerate(spec.get("containers") or ()):
        for number, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort", 0)
            if (is_pod or host) and host != port.get("containerPort", 0):
                place = f"{field}.containers[{index}].ports[{number}].hostPort"
                errors.append(invalid(place, host, "must match `containerPort` when `hostNetwork` is true"))
    return errors
