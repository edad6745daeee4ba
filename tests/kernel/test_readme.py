"""The README's example does what it says."""

import os
import re
from pathlib import Path

import pytest
from tests.spaces import ping

import weft.kernel
from weft.kernel.real import netns

README = Path(weft.kernel.__file__).parent / "README.md"


@pytest.mark.root
def test_the_example_makes_two_namespaces_that_reach_each_other() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    prefix = f"wt{os.getpid()}-readme"
    try:
        exec(example.replace("weft-lab", prefix), {})
        assert ping(f"{prefix}-node1", "172.30.0.2") == "172.30.0.2"
    finally:
        for name in ("net", "node1"):
            netns.delete(f"{prefix}-{name}")
