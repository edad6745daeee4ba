from weft.cluster.errors import ApiError, NotFound
from weft.cluster.objects.resource import CORE_EVENTS, PODS
from weft.controllers.namespace.plan import Remains, conditions, is_active, is_terminating_error


def test_what_remains_is_told_in_upstreams_words() -> None:
    remains = Remains()
    remains.count(CORE_EVENTS, [{"name": "e"}])
    assert remains.is_empty()
    remains.count(PODS, [{"name": "a", "finalizers": ["example.com/hold"]}, {"name": "b"}])
    told = {entry["type"]: entry for entry in conditions([], remains, 0)}
    assert (
        told["NamespaceContentRemaining"]["message"] == "Some resources are remaining: pods. has 2 resource instances"
    )
    assert told["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    assert told["NamespaceDeletionContentFailure"]["status"] == "False"
    assert conditions(list(told.values()), remains, 99) == list(told.values()), "no change, no new time"


def test_terminating() -> None:
    assert is_active({"metadata": {}, "status": {"phase": "Active"}})
    assert not is_active({"metadata": {"deletionTimestamp": "x"}})
    assert not is_active(None)
    assert is_terminating_error(NotFound(404, "NotFound", ""))
    assert is_terminating_error(ApiError(403, "Forbidden", "", {"causes": [{"reason": "NamespaceTerminating"}]}))
    assert not is_terminating_error(ApiError(403, "Forbidden", ""))
