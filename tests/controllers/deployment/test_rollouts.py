"""Random lives of a Deployment: its pods stay within maxSurge and maxUnavailable, and every rollout ends."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.cluster.port import Object
from weft.controllers.deployment.plan import Step, next_step
from weft.controllers.deployment.revision import split_new_and_old, template_hash
from weft.controllers.deployment.sizes import fences, is_complete, max_total, min_available, revision, scaled
from weft.controllers.deployment.status import find, recheck_after, status


def deployment(count: int, surge: Any = 1, unavailable: Any = 0, **spec: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 1},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"image": "1"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 2,
            **spec,
        },
    }


class World:
    """The ReplicaSet controller and kubelet of a small world: pods appear, become available, and go."""

    def __init__(self, deployment: Object, seed: int) -> None:
        self.deployment = deployment
        self.sets: dict[str, Object] = {}
        self.random = random.Random(seed)
        self.clock = 1000.0

    def step(self) -> Step:
        made = next_step(self.deployment, list(self.sets.values()), self.old_pods_run)
        for each in [*([made.create] if made.create else []), *(after for _, after in made.replace)]:
            each["metadata"].setdefault("creationTimestamp", f"2026-01-01T00:00:{len(self.sets):02d}Z")
            each["metadata"].setdefault("uid", each["metadata"]["name"])
            self.sets[each["metadata"]["name"]] = each
        for each in made.delete:
            del self.sets[each["metadata"]["name"]]
        new, old = split_new_and_old(self.deployment, list(self.sets.values()))
        self.clock += 1
        told = status(
            self.deployment, new, old, self.clock, rolling_out=made.rolling_out, created=made.create is not None
        )
        self.deployment = {**self.deployment, "status": told}
        return made

    def old_pods_run(self) -> bool:
        _, old = split_new_and_old(self.deployment, list(self.sets.values()))
        return any(each.get("status", {}).get("replicas") for each in old)

    def live(self, *, all_well: bool = False) -> None:
        """Every ReplicaSet gets its pods; some of those that are new become available."""
        for name, each in self.sets.items():
            have = each.get("status", {}).get("availableReplicas", 0)
            wanted = each["spec"]["replicas"]
            have = wanted if all_well else min(wanted, have + self.random.randint(0, 2))
            self.sets[name] = {**each, "status": {"replicas": wanted, "availableReplicas": have, "readyReplicas": have}}

    def roll_to(self, image: str) -> None:
        self.change(template={"metadata": {"labels": {"app": "web"}}, "spec": {"image": image}})

    def change(self, **spec: Any) -> None:
        meta = self.deployment["metadata"]
        self.deployment = {
            **self.deployment,
            "metadata": {**meta, "generation": meta["generation"] + 1},
            "spec": {**self.deployment["spec"], **spec},
        }

    def total(self) -> int:
        return sum(each["spec"]["replicas"] for each in self.sets.values())

    def available(self) -> int:
        return sum(
            min(each["spec"]["replicas"], each.get("status", {}).get("availableReplicas", 0))
            for each in self.sets.values()
        )

    def settle(self) -> None:
        for _ in range(200):
            self.step()
            self.live(all_well=True)
            if is_complete(self.deployment, self.deployment["status"]):
                break
        for _ in range(3):
            self.step()
            self.live(all_well=True)


percents_or_counts = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda n: f"{n}%"))


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 12), percents_or_counts, percents_or_counts, st.lists(st.sampled_from("abc"), max_size=4),
    st.integers(0, 2**32),
)  # fmt: skip
def test_rollouts_stay_within_their_bounds(
    count: int, surge: Any, unavailable: Any, images: list[str], seed: int
) -> None:
    world = World(deployment(count, surge, unavailable), seed)
    world.settle()
    for image in images:
        world.roll_to(image)
        for _ in range(world.random.randint(1, 12)):
            before = world.available()
            world.step()
            assert world.total() <= max_total(world.deployment)
            assert world.available() >= min(before, min_available(world.deployment))
            world.live()
    world.settle()
    told = world.deployment["status"]
    assert is_complete(world.deployment, told)
    assert find(told["conditions"], "Progressing")["reason"] == "NewReplicaSetAvailable"  # type: ignore[index]
    assert find(told["conditions"], "Available")["status"] == "True"  # type: ignore[index]
    assert len(world.sets) <= 3, "revisionHistoryLimit"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(0, 30), st.integers(1, 5), st.integers(0, 2**32))
def test_scaling_in_the_middle_of_a_rollout_keeps_the_total(before: int, after: int, surge: int, seed: int) -> None:
    world = World(deployment(before, surge, 1), seed)
    world.settle()
    world.roll_to("2")
    for _ in range(world.random.randint(1, 5)):
        world.step()
        world.live()
    world.change(replicas=after)
    world.step()
    assert world.total() <= max_total(world.deployment)
    world.settle()
    assert world.total() == after


def test_recreate_waits_for_the_last_old_pod() -> None:
    world = World(deployment(3, strategy={"type": "Recreate"}), 0)
    world.settle()
    world.roll_to("2")
    world.step()
    assert world.total() == 0
    assert len(world.sets) == 1, "the old pods still run"
    world.live(all_well=True)
    world.step()
    assert len(world.sets) == 2
    world.settle()
    assert is_complete(world.deployment, world.deployment["status"])


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    world = World(deployment(2), 0)
    world.settle()
    world.change(paused=True)
    world.roll_to("2")
    world.change(replicas=4)
    world.step()
    assert len(world.sets) == 1
    assert world.total() == 4
    reason = find(world.deployment["status"]["conditions"], "Progressing")
    assert reason is not None
    assert (reason["status"], reason["reason"], reason["message"]) == (
        "Unknown", "DeploymentPaused", "Deployment is paused",
    )  # fmt: skip
    world.change(paused=False)
    world.settle()
    assert is_complete(world.deployment, world.deployment["status"])


def test_going_back_takes_the_old_replica_set_and_a_new_revision() -> None:
    world = World(deployment(2), 0)
    world.settle()
    first = next(iter(world.sets))
    world.roll_to("2")
    world.settle()
    world.roll_to("1")
    world.settle()
    assert revision(world.sets[first]) == 3
    assert world.sets[first]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert world.sets[first]["spec"]["replicas"] == 2


def test_a_rollout_that_stands_still_is_told_of() -> None:
    world = World(deployment(2), 0)
    world.step()
    world.clock += 601
    assert recheck_after(world.deployment, world.deployment["status"], world.clock) == 1.0
    world.step()
    told = find(world.deployment["status"]["conditions"], "Progressing")
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert told["message"].startswith('ReplicaSet "web-')
    assert told["message"].endswith('" has timed out progressing.')
    assert recheck_after(world.deployment, world.deployment["status"], world.clock) is None


@pytest.mark.parametrize(
    ("surge", "unavailable", "count", "expected"),
    [("25%", "25%", 10, (3, 2)), (0, 0, 3, (0, 1)), ("0%", "1%", 2, (0, 1)), (1, 5, 3, (1, 3)),
     ("1%", "25%", 1, (1, 0))],
)  # fmt: skip
def test_fences(surge: Any, unavailable: Any, count: int, expected: tuple[int, int]) -> None:
    assert fences(deployment(count, surge, unavailable)) == expected


def test_percentages() -> None:
    assert scaled("25%", 10, up=True) == 3
    assert scaled("25%", 10, up=False) == 2
    assert scaled(None, 10, up=True) == 0


@given(st.dictionaries(st.text(max_size=3), st.integers()), st.integers(0, 3))
def test_hashes_are_short_safe_and_stable(template: Object, collisions: int) -> None:
    made = template_hash(template, collisions)
    assert len(made) <= 10
    assert set(made) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert made == template_hash(dict(reversed(template.items())), collisions)
