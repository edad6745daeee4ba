"""`weft up`."""

import argparse
import asyncio
import time
from typing import Any

from weft.cli.progress import Progress
from weft.lab import config as lab_config
from weft.lab import machine, system
from weft.lab.config import LabConfig
from weft.lab.layout import Layout
from weft.lab.machine import LabError
from weft.proxy.config import MODES

EXAMPLES = """examples:
  weft up                                three nodes, pods in 10.244.0.0/16, services in 10.96.0.0/12
  weft up --demo                         the same with a small web application, and what to try
  weft up --name two --nodes 2           a second lab beside the first
  weft up --dual-stack                   every pod and service with an IPv4 and an IPv6 address
  weft up --pod-cidr 10.1.0.0/16,fd00:1::/56 --service-cidr 10.2.0.0/16,fd00:2::/112
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nodes", type=int, help="how many (default: 3)")
    parser.add_argument("--pod-cidr", metavar="A[,B]", help="addresses of pods (default: 10.244.0.0/16)")
    parser.add_argument("--service-cidr", metavar="A[,B]", help="addresses of services (default: 10.96.0.0/12)")
    parser.add_argument("--dual-stack", action="store_true", help="two families; the first range is the primary one")
    parser.add_argument("--proxy-mode", choices=("auto", *MODES), help="how services are forwarded (default: nftables)")
    parser.add_argument("--demo", action="store_true", help="apply a small web application and print what to try")
    parser.add_argument(
        "--timeout", type=float, default=90, metavar="SECONDS", help="how long to wait for nodes and DNS (default: 90)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    layout = Layout(lab_config.check_name(args.name))
    known = machine.saved(layout)
    config = _settle(args, known)
    if known and machine.supervisor_pid(layout):
        print(f"lab {args.name} is up: {_say(known)} (weft status shows it, weft down removes it)")
        return _demo(layout, args) if args.demo else 0
    progress = Progress(args.quiet)
    started = time.monotonic()
    with machine.locked(layout):
        if known is None:
            config = machine.place(config)
        _start(config, layout, progress, fresh=known is None)
    asyncio.run(_settled(config, layout, progress, args.timeout))
    took = time.monotonic() - started
    if not args.quiet:
        print(f"lab {args.name} is up after {took:.1f} s: {_say(config)}")
        print(f"  export KUBECONFIG={layout.admin_kubeconfig}")
    return _demo(layout, args) if args.demo else 0


def _say(config: LabConfig) -> str:
    return (
        f"{config.nodes} nodes, pods in {', '.join(config.pod_ranges)}, services in {', '.join(config.service_ranges)},"
        f" API server {config.api_server}"
    )


def _settle(args: argparse.Namespace, known: LabConfig | None) -> LabConfig:
    """The configuration asked for; a lab that exists keeps its own, and other wishes are refused."""
    if known is None:
        return lab_config.make(
            args.name,
            3 if args.nodes is None else args.nodes,
            args.pod_cidr or "",
            args.service_cidr or "",
            dual_stack=args.dual_stack,
            proxy_mode=args.proxy_mode or "nftables",
        )
    wishes = {
        "--nodes": (args.nodes, known.nodes),
        "--pod-cidr": (args.pod_cidr, ",".join(known.pod_ranges)),
        "--service-cidr": (args.service_cidr, ",".join(known.service_ranges)),
        "--dual-stack": (args.dual_stack or None, known.dual_stack),
        "--proxy-mode": (args.proxy_mode, known.proxy_mode),
    }
    for flag, (wish, has) in wishes.items():
        if wish is not None and wish != has:
            raise ValueError(
                f"{flag}: lab {known.name} exists with {has} (remove it with weft down, or choose another --name)"
            )
    return known


def _start(config: LabConfig, layout: Layout, progress: Progress, *, fresh: bool) -> None:
    try:
        with progress.step("network, certificates and images"):
            machine.prepare(config, layout, system.system_images(progress.note))
        with progress.step("processes"):
            from weft.lab import components
            from weft.lab.pki.layout import paths
            from weft.lab.warm import warm

            pki = paths(layout.pki, config.node_names())
            children = components.control_plane(config, layout, pki)
            children += [components.node(config, layout, pki, name) for name in config.node_names()]
            warm(layout, pki)
            machine.start(layout, children)
    except BaseException:
        if fresh:
            machine.remove(layout)
        raise


async def _settled(config: LabConfig, layout: Layout, progress: Progress, timeout: float) -> None:
    """Waits until the API server answers, makes the system's objects, and waits for nodes and DNS."""
    from weft.cluster.errors import ApiError
    from weft.cluster.objects.node import Node
    from weft.cluster.objects.resource import DEPLOYMENTS, NODES
    from weft.cluster.real import HttpCluster, load
    from weft.dns.manifests import objects

    deadline = time.monotonic() + timeout
    async with HttpCluster(load(layout.admin_kubeconfig), "weft-up") as cluster:

        async def until(check: Any, what: str, component: str) -> None:
            delay, last = 0.02, ""
            while time.monotonic() < deadline:
                try:
                    if await check():
                        return
                except ApiError as error:
                    last = f": {error.message}"
                await asyncio.sleep(delay)
                delay = min(delay * 1.3, 0.15)
            raise LabError(f"{what} within {timeout:g} s{last} (weft logs {component} tells more)")

        async def answers() -> bool:
            return bool(await cluster.request("GET", "/readyz"))

        async def ready() -> bool:
            nodes = (await cluster.list(NODES, as_=Node)).items
            return sum(node.is_ready() for node in nodes) >= config.nodes

        async def resolves() -> bool:
            deployment = await cluster.get(DEPLOYMENTS, "coredns", "kube-system", as_=dict[str, Any])
            return bool(deployment.get("status", {}).get("readyReplicas"))

        with progress.step("API server"):
            await until(answers, "the API server did not answer", "apiserver")
            address = str(config.service_address(10)[0])
            command = ("/usr/local/bin/weft", "dns")
            dns = objects(system.weft_image(), address, "cluster.local", config.dual_stack, command=command)
            await system.ensure_objects(cluster, dns)
        with progress.step(f"{config.nodes} nodes ready"):
            await until(ready, "the nodes did not become ready", "kubelet --node node1")
        with progress.step("cluster DNS"):
            await until(resolves, "DNS did not become ready", "kubelet --node node1")


def _demo(layout: Layout, args: argparse.Namespace) -> int:
    from weft.cli import demo

    return demo.run(layout, args.name)
