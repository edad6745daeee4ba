"""Text → tokens. A token knows its file and line, for errors that name them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from weft.dns.corefile.directive import CorefileError

_ENVIRONMENT = re.compile(r"\{\$([^{}$%\s]+)\}|\{%([^{}$%\s]+)%\}")


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    file: str
    line: int
    quoted: bool = False

    def error(self, problem: str, remedy: str) -> CorefileError:
        return CorefileError(f"{self.file}:{self.line}: {self.text}: {problem} ({remedy})")

    def is_(self, brace: str) -> bool:
        return self.text == brace and not self.quoted


def tokens(text: str, file: str, environment: Mapping[str, str]) -> list[Token]:
    """Words, and strings in double quotes (`\\"` inside); `#` at the start of a word begins a comment.

    `{$NAME}` and `{%NAME%}` become the value of the environment's variable, or nothing where it is not set.
    """
    found: list[Token] = []
    index, line = 0, 1
    text = text.removeprefix("\ufeff")
    while index < len(text):
        char = text[index]
        if char == "\n":
            line += 1
            index += 1
        elif char.isspace():
            index += 1
        elif char == "#":
            end = text.find("\n", index)
            index = len(text) if end < 0 else end
        elif char == '"':
            value, end = _quoted(text, index, file, line)
            found.append(Token(_expand(value, environment), file, line, quoted=True))
            line += text.count("\n", index, end)
            index = end
        else:
            end = index
            while end < len(text) and not text[end].isspace():
                end += 1
            word = _expand(text[index:end], environment)
            if word:
                found.append(Token(word, file, line))
            index = end
    return found


def _quoted(text: str, start: int, file: str, line: int) -> tuple[str, int]:
    value: list[str] = []
    index = start + 1
    while index < len(text):
        if text[index] == '"':
            return "".join(value), index + 1
        if text[index] == "\\" and text[index + 1 : index + 2] == '"':
            index += 1
        value.append(text[index])
        index += 1
    raise CorefileError(f'{file}:{line}: ": the quoted string has no end (close it with ")')


def _expand(word: str, environment: Mapping[str, str]) -> str:
    return _ENVIRONMENT.sub(lambda match: environment.get(match[1] or match[2], ""), word)
