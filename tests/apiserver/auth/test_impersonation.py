"""Impersonate-* headers."""

import pytest
from tests.apiserver.auth.conftest import Server, binding, person, role, rule

from weft.apiserver.auth import User
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
