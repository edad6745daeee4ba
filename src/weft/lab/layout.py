"""Where a lab keeps its things. Everything of a lab lies in these places and bears its name: `down` needs no more."""

from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/weft")
RUN = Path("/run/weft")
LOG = Path("/var/log/weft")
NETNS = Path("/run/netns")
IMAGE_CACHE = Path("/var/cache/weft/images")
"""Built images by content; shared by all labs, and rebuilt when missing."""


@dataclass(frozen=True, slots=True)
class Layout:
    name: str

    @property
    def state(self) -> Path:
        return STATE / self.name

    @property
    def run(self) -> Path:
        return RUN / self.name

    @property
    def log(self) -> Path:
        return LOG / self.name

    @property
    def config(self) -> Path:
        return self.state / "lab.json"

    @property
    def database(self) -> Path:
        return self.state / "apiserver.db"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def images(self) -> Path:
        return self.state / "images"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def kubeconfig(self, user: str) -> Path:
        return self.state / "kubeconfigs" / user

    @property
    def supervisor_status(self) -> Path:
        return self.run / "supervisor.json"

    def node_status(self, node: str) -> Path:
        return self.run / node / "node.json"

    def node_state(self, node: str) -> Path:
        return self.state / "nodes" / node

    def node_run(self, node: str) -> Path:
        return self.run / node

    @property
    def underlay_netns(self) -> str:
        return f"weft-{self.name}-net"

    def node_netns(self, node: str) -> str:
        return f"weft-{self.name}-{node}"

    def component_log(self, component: str, node: str = "") -> Path:
        return self.log / node / f"{component}.log" if node else self.log / f"{component}.log"

    @property
    def cgroup(self) -> str:
        """Below each hierarchy's root; everything of the lab runs below it."""
        return f"/weft/{self.name}"

    def node_cgroup(self, node: str) -> str:
        return f"{self.cgroup}/{node}"
