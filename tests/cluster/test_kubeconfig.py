"""A kubeconfig that cannot be used is refused in one line that names file, field and remedy."""

from pathlib import Path

import pytest

from weft.cluster.real import KubeConfigError, load

GOOD = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: here}}]
clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1/'}}]
users: [{name: u, user: {token: secret}}]
"""


def test_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(GOOD)
    found = load(tmp_path / "config")
    assert (found.server, found.namespace, found.bearer()) == ("http://127.0.0.1:1", "here", "secret")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a mapping"),
        ("[", "kubeconfig"),
        ("a: b: c", "kubeconfig"),
        (
            GOOD.replace("current-context: c", "current-context: other"),
            "contexts: has no 'other', which current-context",
        ),
        (GOOD.replace("cluster: k,", "cluster: x,"), "clusters: has no 'x', which contexts[c].cluster names"),
        (GOOD.replace("user: u,", "user: x,"), "users: has no 'x'"),
        (GOOD.replace("http://", "ftp://"), "clusters.server: 'ftp://127.0.0.1:1/' is not an http or https URL"),
        (GOOD.replace("'http:", "'https:").replace("1/'", "1/', certificate-authority-data: '?'"), "is not base64"),
        (GOOD.replace("'http:", "'https:").replace("1/'", "1/', certificate-authority: absent"), "No such file"),
        (
            GOOD.replace("'http:", "'https:").replace("1/'", "1/', certificate-authority-data: aGVsbG8="),
            "certificate or key cannot be used",
        ),
    ],
)
def test_bad_ones(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(KubeConfigError) as caught:
        load(tmp_path / "config")
    assert words in str(caught.value)
    assert str(tmp_path / "config") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KubeConfigError, match="cannot be read: No such file"):
        load(tmp_path / "absent")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(KubeConfigError, match="use --kubeconfig FILE, set KUBECONFIG, or run in a pod"):
        load(None)
