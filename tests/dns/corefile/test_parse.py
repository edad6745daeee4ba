"""The Corefile's syntax, and what its errors say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.dns.corefile import CorefileError, parse
from weft.dns.message import names

KUBEADM = """
.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 # seconds
}
"""


def zones(text: str) -> list[tuple[str, int]]:
    return [(names.to_text(zone), port) for block in parse(text) for zone, port in block.zones]


def test_kubeadms():
    (block,) = parse(KUBEADM)
    assert block.text == ".:53"
    assert [d.name for d in block.directives] == ["errors", "health", "kubernetes", "forward", "cache"]
    kubernetes = block.directives[2]
    assert kubernetes.args == ("cluster.local", "in-addr.arpa", "ip6.arpa")
    assert [(d.name, d.args, d.line) for d in kubernetes.block][1] == ("fallthrough", ("in-addr.arpa", "ip6.arpa"), 9)
    assert block.directives[4].args == ("30",)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (". {\n}", [(".", 53)]),
        ("example.org:1053 {\n}", [("example.org.", 1053)]),
        ("dns://Example.ORG {\n}", [("example.org.", 53)]),
        ("a.test, b.test:5353 {\n}", [("a.test.", 53), ("b.test.", 5353)]),
        ("a.test,\nb.test {\n}", [("a.test.", 53), ("b.test.", 53)]),
        ("a.test a.test {\n}", [("a.test.", 53)]),
        ("10.0.0.0/24 {\n}", [("0.0.10.in-addr.arpa.", 53)]),
        ("10.0.0.0/23:54 {\n}", [("0.0.10.in-addr.arpa.", 54), ("1.0.10.in-addr.arpa.", 54)]),
        ("fd00:10::/32 {\n}", [("0.1.0.0.0.0.d.f.ip6.arpa.", 53)]),
        (":1053 {\n}", [(".", 1053)]),
        (". { errors }", [(".", 53)]),
    ],
)
def test_keys(text, wanted):
    assert zones(text) == wanted


def test_snippets_imports_and_environment():
    files = {"conf/more": [("conf/more", "cache {$TTL}\nimport inner\n")], "conf/all": [("all", "a.test {\nlog\n}\n")]}
    text = '(inner) {\n    errors\n}\n. {\n    import conf/more\n    log . "{$F} x"\n}\nimport conf/all\n'
    first, second = parse(
        text,
        environment={"TTL": "7", "F": "{name}"},
        read_files=lambda pattern, file: files.get(pattern, []),
    )
    assert [(d.name, d.args) for d in first.directives] == [
        ("cache", ("7",)),
        ("errors", ()),
        ("log", (".", "{name} x")),
    ]
    assert second.text == "a.test.:53"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "Corefile:1: has no server block"),
        (". {\n errors\n", "Corefile:1: {: this brace is never closed (add a }"),
        ("errors\n", "Corefile:1: errors: the server block has no opening brace"),
        ("{\n}", "Corefile:1: {: the server block has no zone"),
        (". {\n}\n}", "Corefile:3: }: closes nothing"),
        (". {\n}\n. {\n}", "Corefile:3: .:53: the zone and port are taken by the server block at Corefile:1"),
        (". {\n cache { success }\n}", "Corefile:2: {: a brace in the line of cache"),
        (". {\n {\n }\n}", "Corefile:2: {: a brace without a directive"),
        ("tls://. {\n}", "Corefile:1: tls://.: tls:// is not spoken here"),
        ("a:0 {\n}", "Corefile:1: a:0: '0' is not a port"),
        ("a..b {\n}", "Corefile:1: a..b: 'a..b' is not a domain name: an empty label"),
        ("10.0.0.0/40 {\n}", "Corefile:1: 10.0.0.0/40: '10.0.0.0/40' is neither a domain nor a range"),
        (". {\n import nothing\n}", "Corefile:2: import: there is no snippet or file 'nothing'"),
        (". {\n import\n}", "Corefile:2: import: wants one argument"),
        ("(a) {\nimport a\n}\n. {\nimport a\n}", "Corefile:2: import: a imports itself"),
        ("(a) {\n}\n(a) {\n}", "Corefile:3: (a): this snippet exists already"),
        ('. {\n log "x\n}', 'Corefile:2: ": the quoted string has no end'),
    ],
)
def test_errors_name_file_line_and_remedy(text, error):
    with pytest.raises(CorefileError) as caught:
        parse(text)
    assert str(caught.value).startswith(error)
    assert str(caught.value).endswith(")")


@settings(deadline=None)
@given(st.text(alphabet=' \n\t{}()#"\\.:,$%/abimport0123', max_size=200))
def test_no_text_breaks_the_parser(text):
    try:
        parse(text)
    except CorefileError as error:
        assert ":" in str(error)
