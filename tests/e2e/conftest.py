"""One lab for all walks of a session; tests that break a lab bring up their own."""

import re
from collections.abc import Iterator

import pytest
from tests.e2e.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    made = Lab("t-walk")
    made.down()
    made.up("--nodes", "3")
    for image in ("busybox", "nginx", "python", "toolbox"):
        assert made.weft("images", "build", image).code == 0
    yield made
    made.down()


@pytest.fixture
def namespace(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, gone after it."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:50].strip("-")
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(autouse=True)
def show_logs_on_failure(request: pytest.FixtureRequest) -> Iterator[None]:
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed and "lab" in request.fixturenames:
        print(request.getfixturevalue("lab").logs())
