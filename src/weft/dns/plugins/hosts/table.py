"""hosts(5) text → names and addresses. Pure."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from weft.dns.message import names


@dataclass(slots=True)
class Table:
    addresses: dict[bytes, list[str]] = field(default_factory=dict)
    """By name in lower case; `*.example.org` by its own spelling."""
    pointers: dict[str, list[bytes]] = field(default_factory=dict)
    """Names by address."""

    def add(self, line: str) -> None:
        """One line; what is no address or no name is left out, as resolvers do."""
        words = line.partition("#")[0].split()
        if len(words) < 2:
            return
        try:
            address = str(ip_address(words[0].partition("%")[0]))
        except ValueError:
            return
        for word in words[1:]:
            try:
                name = names.from_text(word.lower())
            except ValueError:
                continue
            _append(self.addresses.setdefault(name, []), address)
            if not word.startswith("*."):
                _append(self.pointers.setdefault(address, []), name)

    def find(self, key: bytes) -> list[str] | None:
        """Addresses of the name, or of the wildcard one label above it; None where there is no such name."""
        found = self.addresses.get(key)
        if found is None and key != names.ROOT:
            found = self.addresses.get(b"\x01*" + key[1 + key[0] :])
        return found

    @property
    def size(self) -> int:
        return sum(map(len, self.addresses.values()))


def _append(items: list[str] | list[bytes], item: str | bytes) -> None:
    if item not in items:
        items.append(item)  # type: ignore[arg-type]


def read(text: str, inline: tuple[str, ...]) -> Table:
    """The file's lines and those of the Corefile; a name that the Corefile has takes nothing from the file."""
    table = Table()
    for line in inline:
        table.add(line)
    from_file = Table()
    for line in text.splitlines():
        from_file.add(line)
    for name, addresses in from_file.addresses.items():
        table.addresses.setdefault(name, addresses)
    for address, hosts in from_file.pointers.items():
        for host in hosts:
            if address in table.addresses.get(host, ()):
                _append(table.pointers.setdefault(address, []), host)
    return table
