"""The query string's form of a field selector: `spec.nodeName=node1,status.phase!=Failed`.

Grammar and messages are those of apimachinery's `fields.ParseSelector`. Pure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_TERM = re.compile(r"(?:\\.|[^,\\]|\\$)+")
_OPERATOR = re.compile(r"!=|==|=")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    field: str
    value: str
    equal: bool = True


@dataclass(frozen=True, slots=True)
class FieldSelector:
    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, field: Callable[[str], str]) -> bool:
        """`field` gives an object's value of a field label."""
        return all((field(each.field) == each.value) == each.equal for each in self.requirements)

    def exact(self, field: str) -> str | None:
        """The one value that the field must have, if the selector says so."""
        for each in self.requirements:
            if each.equal and each.field == field:
                return each.value
        return None

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(each.field for each in self.requirements)


def parse(text: str) -> FieldSelector:
    """Raises ValueError with the server's message. Whether a kind has such a field is not asked here."""
    found: list[FieldRequirement] = []
    for term in sorted(_TERM.findall(text)):
        operator = _OPERATOR.search(term)
        if operator is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
        value = _unescape(term[operator.end() :])
        found.append(FieldRequirement(term[: operator.start()], value, operator.group() != "!="))
    return FieldSelector(tuple(found))


def _unescape(value: str) -> str:
    out: list[str] = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in ("\\", ",", "=") or not escaped:
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{escaped}")
            out.append(escaped)
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(character)}")
        else:
            out.append(character)
    return "".join(out)
