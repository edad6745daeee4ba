"""Label and field selectors: upstream's grammar, its messages, and that parsing never fails otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.apiserver.selectors import parse_fields, parse_labels


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ("", {}, True),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1", {"a": "1"}, True),
        ("a==1", {"a": "2"}, False),
        ("a!=1", {}, True),
        ("a=", {"a": ""}, True),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a in (1,)", {"a": ""}, True),
        ("a in ()", {"a": ""}, True),
        ("a notin (1,2)", {"a": "3"}, True),
        ("a notin (1)", {}, True),
        ("a>5", {"a": "6"}, True),
        ("a>5", {"a": "x"}, False),
        ("a<5", {"a": "4"}, True),
        ("a<5", {}, False),
        ("in in (in,notin)", {"in": "notin"}, True),
        ("app.kubernetes.io/name = web , !x", {"app.kubernetes.io/name": "web"}, True),
        ("x in (foo,,baz),y,z notin ()", {"x": "", "y": "1", "z": "1"}, True),
    ],
)
def test_label_selectors(selector: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_labels(selector).matches(labels) is expected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("a=1=2", "found '=', expected: ',' or 'end of string'"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in 1", "unable to parse requirement: found '1' expected: '('"),
        ("a in (1", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value"),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be an empty string'),
        ("/a", 'unable to parse requirement: <nil>: Invalid value: "/a": prefix part must be non-empty'),
    ],
)
def test_what_does_not_parse(selector: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_labels(selector)
    assert str(caught.value).startswith(message)


def test_field_selectors() -> None:
    selector = parse_fields(r"a=1,b!=2,c==x\,y\=z")
    values = {"a": "1", "b": "3", "c": "x,y=z"}
    assert selector.matches(lambda field: values.get(field, ""))
    assert selector.exact("a") == "1" and selector.exact("b") is None
    assert not parse_fields("a=").matches(values.__getitem__)
    for bad, message in (("a", "can't understand 'a'"), (r"a=\x", "invalid escape sequence"), ("a=1=2", "unescaped")):
        with pytest.raises(ValueError, match=message):
            parse_fields(bad)


@given(st.text("abin!=<>(), \\,é/.", max_size=20))
def test_parsing_ends_in_a_selector_or_in_words(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)


values = st.text("ab1", min_size=1, max_size=3)


@given(st.dictionaries(values, values, max_size=4), st.dictionaries(values, values, max_size=4))
def test_equality_selects_supersets(wanted: dict[str, str], labels: dict[str, str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in wanted.items())
    assert parse_labels(text).matches(labels) is (wanted.items() <= labels.items())
