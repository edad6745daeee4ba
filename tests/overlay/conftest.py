import shutil
import subprocess

import pytest
from tests.spaces import make_space

__all__ = ["make_space"]


@pytest.fixture(scope="session", autouse=True)
def _bridge_filtering() -> None:
    """As `weft network` does when it begins: br_netfilter may be a module."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", "br_netfilter"], check=False, capture_output=True)
