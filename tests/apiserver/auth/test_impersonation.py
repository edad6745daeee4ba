"""Impersonate-* headers."""

from dataclasses import replace

import pytest
from tests.apiserver.auth.conftest import Server, binding, person, role, rule

from weft.apiserver.auth import Attributes, User
from weft.cluster.errors import ApiError, Forbidden

BOB, ROOT = person("bob"), person("root", "system:masters")


def test_no_headers_no_change(server: Server) -> None:
    assert server.control.impersonate(BOB, [("Accept", "*/*"), ("Imp", "x")]) is BOB


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ([("Impersonate-User", "eve")], User("eve", groups=("system:authenticated",))),
        (
            [("impersonate-user", "eve"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")],
            User("eve", groups=("a", "b", "system:authenticated")),
        ),
        (
            [("Impersonate-User", "system:serviceaccount:ns:robot")],
            User(
                "system:serviceaccount:ns:robot",
                groups=("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"),
            ),
        ),
        (
            [("Impersonate-User", "system:anonymous")],
            User("system:anonymous", groups=("system:unauthenticated",)),
        ),
        (
            [("Impersonate-User", "e"), ("Impersonate-Uid", "u"), ("Impersonate-Extra-Acme%2FScope", "1"),
             ("Impersonate-Extra-Acme%2FScope", "2")],
            User("e", "u", ("system:authenticated",), {"acme/scope": ("1", "2")}),
        ),
    ],
)  # fmt: skip
def test_whom(server: Server, headers: list[tuple[str, str]], wanted: User) -> None:
    assert server.control.impersonate(ROOT, headers) == wanted


def test_each_part_is_asked_for(server: Server) -> None:
    server.put(
        role("actor", rule("impersonate", "users", names="eve"), rule("impersonate", "groups", names="devs")),
        role("extras", rule("impersonate", "userextras/scope", ("authentication.k8s.io",), names="view")),
        binding("a", "actor", "User:bob"),
        binding("b", "extras", "User:bob"),
    )
    eve = ("Impersonate-User", "eve")
    allowed = [eve, ("Impersonate-Group", "devs"), ("Impersonate-Extra-Scope", "view")]
    assert server.control.impersonate(BOB, allowed).groups == ("devs", "system:authenticated")
    for headers, message in [
        ([("Impersonate-User", "root")], 'users "root" is forbidden: User "bob" cannot impersonate resource "users"'),
        ([eve, ("Impersonate-Group", "system:masters")], 'groups "system:masters" is forbidden'),
        ([eve, ("Impersonate-Extra-Scope", "edit")], 'userextras.authentication.k8s.io "edit" is forbidden'),
        ([eve, ("Impersonate-Uid", "1")], 'uids.authentication.k8s.io "1" is forbidden'),
        ([("Impersonate-User", "system:serviceaccount:ns:x")], 'serviceaccounts "x" is forbidden'),
    ]:
        with pytest.raises(Forbidden) as caught:
            server.control.impersonate(BOB, headers)
        assert caught.value.message.startswith(message)


def test_groups_without_a_user(server: Server) -> None:
    with pytest.raises(ApiError, match="without impersonating a user") as caught:
        server.control.impersonate(ROOT, [("Impersonate-Group", "devs")])
    assert caught.value.code == 400


LIST = Attributes("list", "", "v1", "pods", namespace="default")


def test_constrained_modes_come_first_and_say_why(server: Server) -> None:
    for name, message in [
        ("eve", 'User "bob" cannot impersonate-on:user-info:list resource "pods"'),
        ("system:serviceaccount:ns:x", 'User "bob" cannot impersonate-on:serviceaccount:list resource "pods"'),
        ("system:node:n1", 'User "bob" cannot impersonate-on:arbitrary-node:list resource "pods"'),
    ]:
        with pytest.raises(Forbidden, match=message):
            server.control.impersonate(BOB, [("Impersonate-User", name)], LIST)


def test_a_user_for_some_requests_only(server: Server) -> None:
    server.put(
        role("be", rule("impersonate:user-info", "users", ("authentication.k8s.io",), names="eve")),
        role("do", rule("impersonate-on:user-info:list", "pods")),
        binding("a", "be", "User:bob"),
        binding("b", "do", "User:bob", namespace="default"),
    )
    eve = [("Impersonate-User", "eve")]
    assert server.control.impersonate(BOB, eve, LIST) == User("eve", groups=("system:authenticated",))
    for request in (replace(LIST, verb="delete"), replace(LIST, namespace="other"), None):
        with pytest.raises(Forbidden):
            server.control.impersonate(BOB, eve, request)
    with pytest.raises(Forbidden, match="cannot impersonate:user-info resource"):
        server.control.impersonate(BOB, [("Impersonate-User", "mallory")], LIST)


def test_an_agent_becomes_the_node_that_it_is_on(server: Server) -> None:
    agent = User("system:serviceaccount:ns:agent", extra={"authentication.kubernetes.io/node-name": ("n1",)})
    server.put(
        role("be", rule("impersonate:associated-node", "nodes", ("authentication.k8s.io",))),
        role("do", rule("impersonate-on:associated-node:list", "pods")),
        binding("a", "be", "ServiceAccount:ns/agent"),
        binding("b", "do", "ServiceAccount:ns/agent"),
    )
    became = server.control.impersonate(agent, [("Impersonate-User", "system:node:n1")], LIST)
    assert became == User("system:node:n1", groups=("system:nodes", "system:authenticated"))
    with pytest.raises(Forbidden, match="arbitrary-node"):
        server.control.impersonate(agent, [("Impersonate-User", "system:node:n2")], LIST)


def test_no_constrained_mode_makes_a_superuser(server: Server) -> None:
    server.put(
        role("all", rule("impersonate:user-info impersonate-on:user-info:list", "*", ("*",))),
        binding("a", "all", "User:bob"),
    )
    headers = [("Impersonate-User", "eve"), *(("Impersonate-Group", f"g{number}") for number in range(6))]
    assert len(server.control.impersonate(BOB, headers, LIST).groups) == 7
    for more, message in [
        (("Impersonate-Group", "system:masters"), "impersonating the system:masters group is not allowed"),
        (("Impersonate-Group", ""), "impersonating the empty string group is not allowed"),
        (("Impersonate-Extra-Scope", "x"), "must be a domain-prefixed path"),
        (("Impersonate-Extra-A.io%2Fx", ""), "empty string value"),
    ]:
        with pytest.raises(Forbidden, match=message):
            server.control.impersonate(BOB, [*headers, more], LIST)
    allowed = [*headers, ("Impersonate-Extra-A.io%2Fx", "1")]
    assert server.control.impersonate(BOB, allowed, LIST).extra == {"a.io/x": ("1",)}
