"""Which processes make a lab, with their arguments. Pure but for the imports, which happen once, before any fork."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import weft.apiserver.run
import weft.controllers.run
import weft.kubelet.run
import weft.lab.gateway.run
import weft.overlay.run
import weft.proxy.run
import weft.scheduler.run
from weft import process
from weft.lab import cgroups, containerd, namespaces
from weft.lab.config import NODE_MASK, LabConfig
from weft.lab.containerd import ContainerdConfig
from weft.lab.gateway.run import REGISTRY_PORT, TUNNEL_PORT
from weft.lab.layout import NETNS, Layout
from weft.lab.node import Node
from weft.lab.pki import Pki
from weft.lab.supervisor import Child, execute

CLUSTER_DOMAIN = "cluster.local"


def control_plane(config: LabConfig, layout: Layout, pki: Pki) -> list[Child]:
    """API server, controllers and scheduler in the underlay's namespace; the gateway in the host's."""
    address = str(config.control_plane_addresses()[0])
    netns = NETNS / layout.underlay_netns

    def child(name: str, component: process.Component, argv: list[str], *, inside: bool = True) -> Child:
        return Child(name, partial(_run, name, component, argv, netns if inside else None), layout.component_log(name))

    return [
        child(
            "gateway",
            weft.lab.gateway.run,
            ["--netns", str(netns), "--address", address, "--images", str(layout.images)],
            inside=False,
        ),
        child("apiserver", weft.apiserver.run, _apiserver(config, layout, pki)),
        child("controllers", weft.controllers.run, _controllers(config, layout, pki)),
        child("scheduler", weft.scheduler.run, ["--kubeconfig", str(layout.kubeconfig("scheduler"))]),
    ]


def _apiserver(config: LabConfig, layout: Layout, pki: Pki) -> list[str]:
    address = str(config.control_plane_addresses()[0])
    return [
        f"--bind-address={'::' if ':' in address else '0.0.0.0'}",
        f"--advertise-address={address}",
        "--secure-port=6443",
        f"--data={layout.database}",
        f"--tls-cert-file={pki.apiserver.certificate}",
        f"--tls-private-key-file={pki.apiserver.key}",
        f"--client-ca-file={pki.ca_certificate}",
        f"--service-cluster-ip-range={','.join(config.service_ranges)}",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        f"--kubelet-client-certificate={pki.kubelet_client.certificate}",
        f"--kubelet-client-key={pki.kubelet_client.key}",
        f"--kubelet-certificate-authority={pki.ca_certificate}",
    ]


def _controllers(config: LabConfig, layout: Layout, pki: Pki) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig('controllers')}",
        f"--cluster-cidr={','.join(config.pod_ranges)}",
        f"--service-cluster-ip-range={','.join(config.service_ranges)}",
        f"--node-cidr-mask-size-ipv4={NODE_MASK[4]}",
        f"--node-cidr-mask-size-ipv6={NODE_MASK[6]}",
        f"--root-ca-file={pki.ca_certificate}",
    ]


def node(config: LabConfig, layout: Layout, pki: Pki, name: str) -> Child:
    """Process 1 of a node, which runs containerd, the pod network, the proxy and the node agent."""
    state, run = layout.node_state(name), layout.node_run(name)
    registry = f"http://{_host(config)}:{REGISTRY_PORT}"
    runtime = ContainerdConfig(state, run, state / "cni" / "conf", state / "cni" / "bin", registry)
    containerd.write(runtime)
    resolv_conf = state / "resolv.conf"
    resolv_conf.write_text("".join(f"nameserver {a}\n" for a in config.control_plane_addresses()[:1]))

    def child(component_name: str, main: Callable[[], int]) -> Child:
        return Child(component_name, main, layout.component_log(component_name, name))

    def component(component_name: str, module: process.Component, argv: list[str]) -> Child:
        return child(component_name, partial(_run, component_name, module, argv, None))

    children = (
        child("containerd", execute(containerd.command(runtime), _environment(config))),
        component("network", weft.overlay.run, _network(config, layout, name, runtime)),
        component("proxy", weft.proxy.run, _proxy(config, layout, name)),
        component("kubelet", weft.kubelet.run, _kubelet(config, layout, pki, name, runtime, resolv_conf)),
    )
    process_one = Node(name, layout, children, resolv_conf)
    return Child(name, process_one.main, layout.component_log("node", name), new_pid_namespace=True)


def _host(config: LabConfig) -> str:
    address = str(config.control_plane_addresses()[0])
    return f"[{address}]" if ":" in address else address


def _environment(config: LabConfig) -> dict[str, str]:
    """containerd pulls what the lab's registry does not have through the gateway's tunnel."""
    tunnel = f"http://{_host(config)}:{TUNNEL_PORT}"
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HTTPS_PROXY": tunnel,
        "NO_PROXY": ",".join((str(config.control_plane_addresses()[0]), "127.0.0.1", "localhost")),
        "GOGC": "50",  # a lab has many containerds, and little garbage in each
    }


def _network(config: LabConfig, layout: Layout, name: str, runtime: ContainerdConfig) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig('network')}",
        f"--node-name={name}",
        f"--cluster-cidr={','.join(config.pod_ranges)}",
        f"--cni-conf-dir={runtime.cni_conf_dir}",
        f"--cni-bin-dir={runtime.cni_bin_dir}",
        f"--socket={layout.node_run(name) / 'cni.sock'}",
        f"--state-dir={layout.node_state(name) / 'network'}",
    ]


def _proxy(config: LabConfig, layout: Layout, name: str) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig('proxy')}",
        f"--hostname-override={name}",
        f"--proxy-mode={config.proxy_mode}",
        f"--cgroup={cgroups.version2(layout.node_cgroup(name))}",
        f"--cluster-cidr={','.join(config.pod_ranges)}",
        f"--service-cluster-ip-range={','.join(config.service_ranges)}",
    ]


def _kubelet(
    config: LabConfig, layout: Layout, pki: Pki, name: str, runtime: ContainerdConfig, resolv_conf: Path
) -> list[str]:
    serving = pki.nodes[name].serving
    return [
        f"--kubeconfig={layout.kubeconfig(f'kubelet-{name}')}",
        f"--node-name={name}",
        f"--node-ip={','.join(map(str, config.node_addresses(name)))}",
        f"--container-runtime-endpoint=unix://{runtime.socket}",
        f"--root-dir={layout.node_state(name) / 'kubelet'}",
        f"--pod-log-dir={layout.node_state(name) / 'pods'}",
        f"--cluster-dns={config.service_address(10)[0]}",
        f"--cluster-domain={CLUSTER_DOMAIN}",
        f"--resolv-conf={resolv_conf}",
        f"--cgroup-root={layout.node_cgroup(name)}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={pki.ca_certificate}",
    ]


def _run(name: str, component: process.Component, argv: list[str], netns: Path | None) -> int:
    if netns is not None:
        namespaces.enter(netns, namespaces.NEWNET)
    Path("/proc/self/comm").write_text(f"weft-{name}")  # what ps and top show; the command line is the lab's
    return process.main(name, component, argv)
