#!/usr/bin/env python3
"""What this kernel gives: each feature is tried, in a network namespace of its own, not looked up.

tools/vm_features.py                the table of this machine
tools/vm_features.py -o json        the same as one JSON object: group → feature → bool
tools/vm_features.py THERE.json     this machine beside another one, whose JSON is given
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

LINKS = {
    "veth": "type veth peer name y", "bridge": "type bridge", "vxlan": "type vxlan id 7 dstport 4789",
    "ifb": "type ifb", "dummy": "type dummy", "bond": "type bond", "vrf": "type vrf table 7",
    "macvlan": "link v type macvlan", "macvtap": "link v type macvtap", "ipvlan": "link v type ipvlan",
    "vlan": "link v type vlan id 7", "wireguard": "type wireguard", "geneve": "type geneve id 7 remote 127.0.0.1",
    "ipip": "type ipip remote 127.0.0.2 local 127.0.0.1", "gre": "type gre remote 127.0.0.2 local 127.0.0.1",
    "netkit": "type netkit peer name y",
}  # fmt: skip
QDISCS = {
    "tbf": "root tbf rate 1mbit burst 10k latency 50ms", "htb": "root htb", "netem": "root netem delay 1ms",
    "fq": "root fq", "fq_codel": "root fq_codel", "ingress": "ingress", "clsact": "clsact",
}  # fmt: skip
NFT = {
    "masquerade": "type nat hook postrouting priority 100; masquerade",
    "map": "type nat hook prerouting priority -100; dnat ip to numgen random mod 1 map { 0 : 127.0.0.1 }",
    "fib": "type filter hook prerouting priority 0; fib daddr type local accept",
    "socket": "type filter hook prerouting priority 0; socket transparent 1 accept",
    "tproxy": "type filter hook prerouting priority 0; meta l4proto tcp tproxy ip to 127.0.0.1:7",
    "queue": "type filter hook prerouting priority 0; queue to 7",
}
FILES = {
    "cgroup version 2 alone": "/sys/fs/cgroup/cgroup.controllers",
    "BTF": "/sys/kernel/btf/vmlinux",
    "conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "bridge-nf-call-iptables": "/proc/sys/net/bridge/bridge-nf-call-iptables",
}
MODULES = ("overlay", "nf_conntrack", "nf_tables", "br_netfilter", "ip_vs")

Table = dict[str, dict[str, bool]]


def works(command: str) -> bool:
    """Whether `command` succeeds in a network namespace of its own that has a veth `v`."""
    inside = f"ip link add v type veth peer name w && {command}"
    return subprocess.run(["unshare", "-n", "sh", "-c", inside], capture_output=True, check=False).returncode == 0


def table() -> Table:
    if shutil.which("modprobe"):
        for module in MODULES:
            subprocess.run(["modprobe", "-q", module], capture_output=True, check=False)
    filesystems = Path("/proc/filesystems").read_text().split()
    return {
        "link": {kind: works(f"ip link add x {rest}") for kind, rest in LINKS.items()},
        "queueing": {kind: works(f"tc qdisc add dev v {rest}") for kind, rest in QDISCS.items()},
        "nftables": {
            name: works(f"nft 'table inet t {{ chain c {{ {statement}; }}; }}'") for name, statement in NFT.items()
        },
        "IPVS": {"ip_vs": works("test -e /proc/net/ip_vs")},
        "file system": {"overlay": "overlay" in filesystems},
        "kernel": {name: Path(path).exists() for name, path in FILES.items()},
    }


def main(arguments: list[str]) -> int:
    here = table()
    if arguments == ["-o", "json"]:
        print(json.dumps(here))
        return 0
    there: Table = json.loads(Path(arguments[0]).read_text()) if arguments else {}
    for group, features in here.items():
        for feature, has in features.items():
            columns = [has, *([there[group][feature]] if there else [])]
            print(f"{group:<12} {feature:<26} " + "  ".join(f"{'yes' if has else '-':<5}" for has in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
