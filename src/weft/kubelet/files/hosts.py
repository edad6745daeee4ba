"""/etc/hosts of a pod, byte for byte as the kubelet writes it ("Adding entries to Pod /etc/hosts"). Pure."""

from collections.abc import Sequence

from weft.cluster.objects.pod import HostAlias

_HEADER = "# Kubernetes-managed hosts file.\n"
_HOST_NETWORK_HEADER = "# Kubernetes-managed hosts file (host network).\n"
_FIXED = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n"
)


def pod_hosts(addresses: Sequence[str], hostname: str, domain: str, aliases: Sequence[HostAlias]) -> str:
    """One line for each of the pod's addresses; with a subdomain, the full name comes first."""
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    return _HEADER + _FIXED + "".join(f"{address}\t{names}\n" for address in addresses) + _alias_lines(aliases)


def host_network_hosts(node_hosts: str, aliases: Sequence[HostAlias]) -> str:
    """The node's own file with a header, for pods in the node's network."""
    return _HOST_NETWORK_HEADER + node_hosts + _alias_lines(aliases)


def _alias_lines(aliases: Sequence[HostAlias]) -> str:
    if not aliases:
        return ""
    lines = (f"{alias.ip}\t{chr(9).join(alias.hostnames or ())}\n" for alias in aliases)
    return "\n# Entries added by HostAliases.\n" + "".join(lines)
