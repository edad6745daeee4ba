"""$(VAR) references in env values, commands and arguments (third_party/forked/golang/expansion; "Define Dependent
Environment Variables"). Pure."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\)|)")


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` becomes its value; an unknown name stays as it is; `$$` is one dollar sign."""

    def put(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1]
        return match[0] if name is None else values.get(name, match[0])

    return _REFERENCE.sub(put, text)
