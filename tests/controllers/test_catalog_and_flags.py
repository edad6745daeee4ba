import argparse
from pathlib import Path

import pytest

from weft.controllers.catalog import CONTROLLERS, chosen
from weft.controllers.discovery import deletable
from weft.controllers.run import add_arguments, options


def flags(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(argv)


def test_controllers_are_chosen_by_name() -> None:
    assert chosen("*") == tuple(CONTROLLERS)
    assert "replicaset-controller" not in chosen("*,-replicaset-controller")
    assert chosen("namespace-controller") == ("namespace-controller",)
    with pytest.raises(ValueError, match=r"--controllers: 'nonsense' is not a controller"):
        chosen("*,-nonsense")


def test_wrong_flags_name_themselves(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--cluster-cidr 10\.96\.0\.0/16 overlaps --service-cluster-ip-range"):
        options(flags("--cluster-cidr=10.96.0.0/16", "--service-cluster-ip-range=10.96.0.0/12"))
    with pytest.raises(ValueError, match="--root-ca-file"):
        options(flags(f"--root-ca-file={tmp_path / 'absent'}"))
    assert options(flags("--leader-elect=false", "--cluster-cidr=10.244.0.0/16")).node_mask_ipv4 == 24


def test_what_can_be_collected_is_read_from_discovery() -> None:
    everything = ["create", "delete", "get", "list", "watch"]
    document = {
        "groupVersion": "apps/v1",
        "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": everything},
            {"name": "deployments/status", "kind": "Deployment", "namespaced": True, "verbs": everything},
            {"name": "reviews", "kind": "Review", "namespaced": False, "verbs": ["create"]},
        ],
    }
    (found,) = deletable(document)
    assert (found.group, found.version, found.plural, found.namespaced) == ("apps", "v1", "deployments", True)
