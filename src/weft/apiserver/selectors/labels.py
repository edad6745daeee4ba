"""The query string's form of a label selector: `app=web,tier in (a, b),!old,weight>3`.

Grammar and messages are those of apimachinery's `labels.Parse`. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from weft.apiserver.selectors.names import label_key_errors, label_value_errors

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", ">", "<"]

_TOKEN = re.compile(r"\s*(?:(==|!=|[=!(),<>])|([^\s=!(),<>]+))")
_END = ""
_BINARY = ("!=", "<", "=", "==", ">", "in", "notin")
_EXPECTED = "in, notin, =, ==, !=, gt, lt"
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator in ("in", "=", "=="):
            return value is not None and value in self.values
        if self.operator in ("notin", "!="):
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        limit = int(next(iter(self.values)))
        return int(value) > limit if self.operator == ">" else int(value) < limit


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse(text: str) -> LabelSelector:
    """Raises ValueError with the server's message."""
    return LabelSelector(_Parser(_tokens(text)).requirements()) if text else LabelSelector()


def _tokens(text: str) -> list[str]:
    """Operators and words; the end of the string is an empty token."""
    found = [match.group(1) or match.group(2) for match in _TOKEN.finditer(text)]
    return [*found, _END]


def _is_word(token: str) -> bool:
    return token != _END and token[0] not in "=!(),<>"


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def requirements(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        while self._peek() != _END:
            if not _is_word(self._peek()) and self._peek() != "!":
                raise ValueError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            token = self._next()
            if token == _END:
                break
            if token != ",":
                raise ValueError(f"found '{token}', expected: ',' or 'end of string'")
            if not _is_word(self._peek()) and self._peek() != "!":
                raise ValueError(f"found '{self._peek()}', expected: identifier after ','")
        return tuple(sorted(found, key=lambda requirement: requirement.key))

    def _requirement(self) -> Requirement:
        token = self._next()
        negated = token == "!"
        if negated:
            token = self._next()
        if not _is_word(token):
            raise ValueError(f"found '{token}', expected: identifier")
        if errors := label_key_errors(token):
            raise ValueError(f'<nil>: Invalid value: "{token}": ' + "; ".join(errors))
        if negated:
            return Requirement(token, "!")
        if self._peek() in (_END, ","):
            return Requirement(token, "exists")
        return self._comparison(token)

    def _comparison(self, key: str) -> Requirement:
        operator = self._next()
        if operator not in _BINARY:
            raise ValueError(f"found '{operator}', expected: {_EXPECTED}")
        values = self._set() if operator in ("in", "notin") else frozenset([self._exact()])
        if operator in ("<", ">"):
            for value in values:
                if not _INTEGER.fullmatch(value):
                    why = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise ValueError(f'values[0]: Invalid value: "{value}": {why}')
        for index, value in enumerate(sorted(values)):
            if errors := label_value_errors(value):
                raise ValueError(f'values[{index}][{key}]: Invalid value: "{value}": ' + "; ".join(errors))
        return Requirement(key, operator, values)  # type: ignore[arg-type]

    def _exact(self) -> str:
        if self._peek() in (_END, ","):
            return ""
        token = self._next()
        if not _is_word(token):
            raise ValueError(f"found '{token}', expected: identifier")
        return token

    def _set(self) -> frozenset[str]:
        """`(a, b,)`: an empty place is the empty value."""
        token = self._next()
        if token != "(":
            raise ValueError(f"found '{token}' expected: '('")
        values: set[str] = set()
        value = ""
        while True:
            token = self._next()
            if token in (",", ")"):
                values.add(value)
                value = ""
                if token == ")":
                    return frozenset(values)
            elif not _is_word(token):
                raise ValueError(f"found '{token}', expected: ',', ')' or identifier")
            elif value:
                raise ValueError(f"found '{token}', expected: ',' or ')'")
            else:
                value = token
