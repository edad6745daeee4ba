"""Tokens → server blocks (corefile(5)): keys, braces, snippets, import."""

from collections.abc import Callable, Iterable, Mapping

from weft.dns.corefile.directive import CorefileError, Directive, ServerBlock
from weft.dns.corefile.tokens import Token, tokens
from weft.dns.corefile.zones import zone_key

ReadFiles = Callable[[str, str], list[tuple[str, str]]]
"""Given the pattern of an import and the file that has it: paths and texts of the files that match."""

_MAX_DEPTH = 20


def parse(
    text: str,
    file: str = "Corefile",
    *,
    port: int = 53,
    environment: Mapping[str, str] | None = None,
    read_files: ReadFiles = lambda pattern, file: [],
) -> tuple[ServerBlock, ...]:
    """The server blocks of a Corefile. `port` is for keys that name none. Raises CorefileError."""
    parser = _Parser(environment or {}, read_files, port)
    blocks = parser.blocks(tokens(text, file, environment or {}))
    if not blocks:
        raise CorefileError(f"{file}:1: has no server block (write one such as `. {{ … }}`)")
    _check_unique(blocks)
    return tuple(blocks)


class _Parser:
    def __init__(self, environment: Mapping[str, str], read_files: ReadFiles, port: int) -> None:
        self._environment = environment
        self._read_files = read_files
        self._port = port
        self._snippets: dict[str, list[Token]] = {}

    def blocks(self, stream: list[Token], depth: int = 0) -> list[ServerBlock]:
        found: list[ServerBlock] = []
        index = 0
        while index < len(stream):
            first = stream[index]
            if first.text == "import" and not first.quoted:
                line = _line(stream, index)
                found += self.blocks(self._imported(line, depth), depth + 1)
                index += len(line)
                continue
            keys, index = _keys(stream, index)
            end = _closing(stream, index - 1)
            body = stream[index:end]
            index = end + 1
            name = keys[0].text
            if len(keys) == 1 and name.startswith("(") and name.endswith(")"):
                if name[1:-1] in self._snippets:
                    raise keys[0].error("this snippet exists already", "give it another name")
                self._snippets[name[1:-1]] = body
                continue
            found.append(self._block(keys, self._expand(body, 0)))
        return found

    def _block(self, keys: list[Token], body: list[Token]) -> ServerBlock:
        zones: list[tuple[bytes, int]] = []
        for key in keys:
            try:
                zones += zone_key(key.text, self._port)
            except ValueError as error:
                raise key.error(str(error), "write a zone such as cluster.local:53, or .") from None
        return ServerBlock(tuple(dict.fromkeys(zones)), _directives(body), keys[0].file, keys[0].line)

    def _expand(self, stream: list[Token], depth: int) -> list[Token]:
        """The stream with the imports in it replaced by what they name."""
        out: list[Token] = []
        index = 0
        while index < len(stream):
            token = stream[index]
            starts_line = index == 0 or _apart(stream[index - 1], token)
            if token.text == "import" and not token.quoted and starts_line:
                line = _line(stream, index)
                out += self._expand(self._imported(line, depth), depth + 1)
                index += len(line)
            else:
                out.append(token)
                index += 1
        return out

    def _imported(self, line: list[Token], depth: int) -> list[Token]:
        if len(line) != 2:
            raise line[0].error("wants one argument", "write `import SNIPPET` or `import FILE`")
        if depth >= _MAX_DEPTH:
            raise line[0].error(f"{line[1].text} imports itself", "break the circle")
        if line[1].text in self._snippets:
            return self._snippets[line[1].text]
        files = self._read_files(line[1].text, line[0].file)
        if not files and "*" not in line[1].text:
            raise line[0].error(f"there is no snippet or file {line[1].text!r}", "define it before it is imported")
        return [token for path, text in files for token in tokens(text, path, self._environment)]


def _apart(one: Token, other: Token) -> bool:
    return one.line != other.line or one.file != other.file


def _line(stream: list[Token], start: int) -> list[Token]:
    end = start + 1
    while end < len(stream) and not _apart(stream[end - 1], stream[end]):
        end += 1
    return stream[start:end]


def _keys(stream: list[Token], index: int) -> tuple[list[Token], int]:
    """The words before `{`, and the index after it. Keys may be separated by commas and so run over lines."""
    keys: list[Token] = []
    first = stream[index]
    while index < len(stream) and not stream[index].is_("{"):
        token = stream[index]
        if token.is_("}"):
            raise token.error("closes nothing", "remove it")
        if keys and _apart(stream[index - 1], token) and not stream[index - 1].text.endswith(","):
            break
        keys += [Token(part, token.file, token.line, token.quoted) for part in token.text.split(",") if part]
        index += 1
    if index >= len(stream) or not stream[index].is_("{"):
        raise first.error("the server block has no opening brace", "write `ZONE {` on one line")
    if not keys:
        raise stream[index].error("the server block has no zone", "write `. {`")
    return keys, index + 1


def _closing(stream: list[Token], opening: int) -> int:
    depth = 0
    for index in range(opening, len(stream)):
        if stream[index].is_("{"):
            depth += 1
        elif stream[index].is_("}"):
            depth -= 1
            if depth == 0:
                return index
    raise stream[opening].error("this brace is never closed", "add a } on a line of its own")


def _directives(body: list[Token]) -> tuple[Directive, ...]:
    found: list[Directive] = []
    index = 0
    while index < len(body):
        line = _line(body, index)
        first = line[0]
        if first.is_("{") or first.is_("}"):
            raise first.error("a brace without a directive", "put it at the end of the directive's line")
        index += len(line)
        block: tuple[Directive, ...] = ()
        for token in line[1:]:
            if token.is_("}") or (token.is_("{") and token is not line[-1]):
                raise token.error(f"a brace in the line of {first.text}", "give each property and } a line of its own")
        if line[-1].is_("{"):
            end = _closing(body, index - 1)
            block = _directives(body[index:end])
            line, index = line[:-1], end + 1
        found.append(Directive(first.text, tuple(token.text for token in line[1:]), block, first.file, first.line))
    return tuple(found)


def _check_unique(blocks: Iterable[ServerBlock]) -> None:
    seen: dict[tuple[bytes, int], ServerBlock] = {}
    for block in blocks:
        for zone in block.zones:
            if zone in seen:
                other = seen[zone]
                raise CorefileError(
                    f"{block.file}:{block.line}: {block.text}: the zone and port are taken by the server block at "
                    f"{other.file}:{other.line} (give each zone one server block)"
                )
            seen[zone] = block
