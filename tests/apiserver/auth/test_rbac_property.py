"""The indexed, caching authorizer says what a naive reading of all objects says, whatever happens in between."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from weft.apiserver.auth.access import Attributes, User
from weft.apiserver.auth.rbac.authorizer import RbacAuthorizer
from weft.apiserver.registry.kind import Object

_NAMES = st.sampled_from(["a", "b", "c"])
_NAMESPACES = st.sampled_from(["", "ns1", "ns2"])
_VERBS = st.sampled_from(["get", "list", "create", "*"])
_GROUPS = st.sampled_from(["", "apps", "*"])
_RESOURCES = st.sampled_from(["pods", "pods/log", "deployments", "deployments/scale", "*/scale", "*/log", "*"])
_URLS = st.sampled_from(["*", "/healthz", "/healthz/*", "/api*", "/apis/apps"])
_PATHS = st.sampled_from(["/healthz", "/healthz/ping", "/api", "/api/v1", "/apis/apps", "/metrics"])
_WHO = ["User:bob", "User:eve", "Group:devs", "ServiceAccount:ns1/robot", "ServiceAccount:robot", "Robot:x"]


def _some(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(values, max_size=2)


_RULES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"verbs": _some(_VERBS), "apiGroups": _some(_GROUPS), "resources": _some(_RESOURCES)},
            optional={"resourceNames": st.one_of(st.none(), _some(_NAMES))},
        ),
        st.fixed_dictionaries({"verbs": _some(_VERBS), "nonResourceURLs": _some(_URLS)}),
    ),
    max_size=3,
)
_LABELS = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2)


def _role(kind: str, namespace: str, name: str, rules: list[Any], labels: dict[str, str]) -> Object:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels}, "rules": rules}


def _subject(text: str) -> Object:
    kind, _, who = text.partition(":")
    home, _, name = who.rpartition("/")
    return {"kind": kind, "name": name, **({"namespace": home} if home else {})}


def _binding(namespace: str, name: str, who: list[str], role_kind: str, role_name: str) -> Object:
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": role_kind, "name": role_name},
        "subjects": [_subject(each) for each in who],
    }


_OBJECTS = st.one_of(
    st.builds(lambda n, r, labels: _role("ClusterRole", "", n, r, labels), _NAMES, _RULES, _LABELS),
    st.builds(
        lambda n, labels: {
            **_role("ClusterRole", "", n, [], {}),
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": labels}]},
        },
        _NAMES,
        _LABELS,
    ),
    st.builds(lambda s, n, r: _role("Role", s, n, r, {}), st.sampled_from(["ns1", "ns2"]), _NAMES, _RULES),
    st.builds(
        _binding,
        _NAMESPACES,
        _NAMES,
        st.lists(st.sampled_from(_WHO), max_size=3),
        st.sampled_from(["Role", "ClusterRole"]),
        _NAMES,
    ),
)
_USERS = st.sampled_from(
    [
        User("bob", groups=("devs", "system:authenticated")),
        User("eve"),
        User("system:serviceaccount:ns1:robot"),
        User("system:serviceaccount:ns2:robot"),
    ]
)
_QUESTIONS = st.one_of(
    st.builds(
        lambda v, g, r, ns, n: Attributes(v, g, "v1", *r, namespace=ns, name=n),
        st.sampled_from(["get", "list", "create", "delete"]),
        st.sampled_from(["", "apps", "batch"]),
        st.sampled_from([("pods", ""), ("pods", "log"), ("deployments", "scale"), ("deployments", ""), ("jobs", "")]),
        _NAMESPACES,
        st.sampled_from(["", "a", "b"]),
    ),
    st.builds(lambda v, p: Attributes(v, path=p), st.sampled_from(["get", "post"]), _PATHS),
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _OBJECTS),
        st.tuples(st.just("remove"), _OBJECTS),
        st.tuples(st.just("ask"), st.tuples(_USERS, _QUESTIONS)),
    ),
    max_size=25,
)


class _Naive:
    """RBAC as the documentation tells it: all bindings, all subjects, all rules, every time."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}

    def allowed(self, user: User, asked: Attributes) -> bool:
        return any(
            self._allows(rule, asked)
            for (kind, namespace, _), binding in self.objects.items()
            if kind.endswith("Binding") and (not namespace or (asked.resource and namespace == asked.namespace))
            if any(self._is(user, subject, namespace) for subject in binding["subjects"])
            for rule in self._rules(binding["roleRef"], namespace)
        )

    def _rules(self, reference: Object, namespace: str) -> list[Object]:
        home = namespace if reference["kind"] == "Role" else ""
        return self._rules_of(self.objects.get((reference["kind"], home, reference["name"])), set())

    def _rules_of(self, role: Object | None, seen: set[str]) -> list[Object]:
        if role is None:
            return []
        selectors = role.get("aggregationRule", {}).get("clusterRoleSelectors")
        if not selectors:
            return list(role["rules"])
        found: list[Object] = []
        for (kind, _, name), other in self.objects.items():
            labels = other["metadata"].get("labels", {})
            if kind != "ClusterRole" or name in seen:
                continue
            if any(each["matchLabels"].items() <= labels.items() for each in selectors):
                seen.add(name)
                found += self._rules_of(other, seen)
        return found

    def _is(self, user: User, subject: Object, namespace: str) -> bool:
        if subject["kind"] == "ServiceAccount":
            home = subject.get("namespace") or namespace
            return bool(home) and user.name == f"system:serviceaccount:{home}:{subject['name']}"
        return subject["name"] in {"User": (user.name,), "Group": user.groups}.get(subject["kind"], ())

    def _allows(self, rule: Object, asked: Attributes) -> bool:
        if not {asked.verb, "*"} & set(rule["verbs"]):
            return False
        if not asked.resource:
            return any(
                url == asked.path or (url.endswith("*") and asked.path.startswith(url.rstrip("*")))
                for url in rule.get("nonResourceURLs", ())
            )
        names = rule.get("resourceNames") or ()
        full = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        wanted = {full, "*"} | ({f"*/{asked.subresource}"} if asked.subresource else set())
        return (
            bool({asked.group, "*"} & set(rule.get("apiGroups", ())))
            and bool(wanted & set(rule.get("resources", ())))
            and (not names or asked.name in names)
        )


@settings(max_examples=400, deadline=None)
@given(_STEPS, st.lists(st.tuples(_USERS, _QUESTIONS), min_size=1, max_size=6))
def test_as_the_naive_evaluator(steps: list[tuple[str, Any]], asked_last: list[tuple[User, Attributes]]) -> None:
    rbac, naive = RbacAuthorizer(), _Naive()
    for step, what in [*steps, *(("ask", each) for each in asked_last)]:
        if step == "ask":
            assert rbac.authorize(*what).allowed == naive.allowed(*what), what
            continue
        key = (what["kind"], what["metadata"]["namespace"], what["metadata"]["name"])
        if step == "put":
            rbac.put(what["kind"], what)
            naive.objects[key] = what
        else:
            rbac.remove(what["kind"], what)
            naive.objects.pop(key, None)
