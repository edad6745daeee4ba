import pytest

from weft.cluster.objects.node_affinity import node_matches, only_nodes
from weft.cluster.objects.quantity import milli, parse_quantity, whole
from weft.cluster.objects.selector import label_selector_matches
from weft.cluster.objects.taint import tolerates, untolerated
from weft.cluster.objects.timestamps import format_time, parse_time


@pytest.mark.parametrize(
    ("text", "cpu", "value"),
    [("100m", 100, 1), ("1", 1000, 1), ("1.5", 1500, 2), ("128Mi", 128 * 2**20 * 1000, 2**27), ("1e3", 10**6, 1000),
     ("1u", 1, 1), (".5k", 500_000, 500), (4, 4000, 4)],
)  # fmt: skip
def test_quantities(text: str, cpu: int, value: int) -> None:
    assert milli(text) == cpu
    assert whole(text) == value


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1mi", "0x1", "1e99", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


def test_label_selectors() -> None:
    labels = {"app": "web", "tier": "front"}
    assert label_selector_matches({}, labels)
    assert not label_selector_matches(None, labels)
    assert label_selector_matches({"matchLabels": {"app": "web"}}, labels)
    expressions = [
        {"key": "app", "operator": "In", "values": ["web", "db"]},
        {"key": "tier", "operator": "NotIn", "values": ["back"]},
        {"key": "absent", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
    ]
    assert label_selector_matches({"matchExpressions": expressions}, labels)
    assert not label_selector_matches({"matchExpressions": expressions}, {"tier": "front"})


def test_node_affinity() -> None:
    def pod(*terms: object) -> dict[str, object]:
        return {
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
            }
        }

    fields = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node2"]}]}
    assert node_matches(pod(fields), "node2", {})
    assert not node_matches(pod(fields), "node1", {})
    assert only_nodes(pod(fields)) == {"node2"}
    assert only_nodes({}) is None
    assert not node_matches(pod(), "node1", {})
    assert not node_matches(pod({}), "node1", {})
    big = {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}]}
    assert node_matches(pod({}, big), "n", {"cores": "8"})
    assert not node_matches(pod(big), "n", {"cores": "four"})
    assert not node_matches({"nodeSelector": {"disk": "ssd"}}, "n", {"disk": "hdd"})


def test_tolerations() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert tolerates({"operator": "Exists"}, taint)
    assert tolerates({"key": "k", "value": "v"}, taint)
    assert tolerates({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, taint)
    assert not tolerates({"key": "k", "value": "w"}, taint)
    assert not tolerates({"key": "k", "operator": "Exists", "effect": "NoExecute"}, taint)
    assert untolerated([taint], [], ["NoExecute"]) is None
    assert untolerated([taint], [], ["NoSchedule"]) == taint


def test_times() -> None:
    assert format_time(0) == "1970-01-01T00:00:00Z"
    assert parse_time("1970-01-01T00:01:00Z") == 60
    assert parse_time("1970-01-01T00:01:00.250000Z") == 60.25
    assert parse_time(None) == 0 == parse_time("soon")
