#!/usr/bin/env python3
"""Writes src/weft/apiserver/schema/table.json: the facts about the API's types that the server needs.

Inputs (Go modules, as the module cache holds them): k8s.io/api and k8s.io/apimachinery v0.36.3, of which the struct
tags of `types.go` are read, and `generated.proto`, against which every field number is checked. Nothing of their
texts is kept: names, numbers, types, tags and list markers only.

    python tools/schema_table.py "$(go env GOPATH)/pkg/mod/k8s.io"

Layout of the table: `kinds` maps "apps/v1/Deployment" to the name of a struct; `atomic` lists the structs that
server-side apply takes as a whole; `structs` maps each name to its fields: [JSON name, protobuf number, type, flags,
extras]. A type is a code of one letter, or a struct, after "[]" for lists and "{}" for maps: s string, b bool, i int32,
l int64, d double, y bytes, q Quantity, x IntOrString, t Time, u MicroTime, D Duration, r RawExtension, F FieldsV1,
w list of strings in a message of its own. Flags: * pointer, o omitempty, z omitzero, i inline, r required. Extras:
ps patchStrategy, mk patchMergeKey, lt listType or mapType, lk listMapKeys, st structType, go the name of a scalar type
that Go names, en the values of an enumeration.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "v0.36.3"
PACKAGES = {
    "k8s.io/api/core/v1": "core/v1",
    "k8s.io/api/apps/v1": "apps/v1",
    "k8s.io/api/batch/v1": "batch/v1",
    "k8s.io/api/autoscaling/v1": "autoscaling/v1",
    "k8s.io/api/authentication/v1": "authentication/v1",
    "k8s.io/api/authorization/v1": "authorization/v1",
    "k8s.io/api/coordination/v1": "coordination/v1",
    "k8s.io/api/discovery/v1": "discovery/v1",
    "k8s.io/api/events/v1": "events/v1",
    "k8s.io/api/networking/v1": "networking/v1",
    "k8s.io/api/policy/v1": "policy/v1",
    "k8s.io/api/rbac/v1": "rbac/v1",
    "k8s.io/apimachinery/pkg/apis/meta/v1": "meta/v1",
}
GROUPS = {
    "core/v1": "v1",
    "authentication/v1": "authentication.k8s.io/v1",
    "authorization/v1": "authorization.k8s.io/v1",
    "coordination/v1": "coordination.k8s.io/v1",
    "discovery/v1": "discovery.k8s.io/v1",
    "events/v1": "events.k8s.io/v1",
    "meta/v1": "meta.k8s.io/v1",
    "networking/v1": "networking.k8s.io/v1",
    "rbac/v1": "rbac.authorization.k8s.io/v1",
}
KINDS = {
    "core/v1": "Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "batch/v1": "CronJob Job",
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "authentication/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization/v1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
    "coordination/v1": "Lease",
    "discovery/v1": "EndpointSlice",
    "events/v1": "Event",
    "networking/v1": "Ingress IngressClass NetworkPolicy",
    "policy/v1": "Eviction PodDisruptionBudget",
    "rbac/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "meta/v1": "CreateOptions DeleteOptions PatchOptions Status UpdateOptions",
}
SCALARS = {
    "string": "s", "bool": "b", "int32": "i", "int64": "l", "int": "l", "float64": "d", "[]byte": "y", "byte": "i",
    "resource.Quantity": "q", "intstr.IntOrString": "x", "metav1.Time": "t", "meta/v1.Time": "t",
    "metav1.MicroTime": "u", "metav1.Duration": "D", "runtime.RawExtension": "r", "meta/v1.FieldsV1": "F",
    "types.UID": "s", "types.NodeName": "s",
}  # fmt: skip
STRUCT = re.compile(r"^type (\w+) struct \{$")
NAMED = re.compile(r"^type (\w+) (?:= )?([\w.\[\]*]+)")
ALIAS = re.compile(r'^\s*(\w+) "([^"]+)"$')
MEMBER = re.compile(r"^\t(?:(\w+) )?\s*([*\[\]\w.]+)\s+`([^`]*)`")
TAG = re.compile(r'(\w+):"([^"]*)"')
CONSTANT = re.compile(r'^\t\w+ +(?:(\w+) += "|= (\w+)\(")([^"]*)"\)?$')
MARKER = re.compile(r"^\t// \+(listType|listMapKey|mapType|structType|required|optional)(?:=(.*))?$")
PROTO_FIELD = re.compile(r"^  (?:optional |repeated )?[\w.<>, ]+ (\w+) = (\d+);")


@dataclass
class Package:
    name: str
    aliases: dict[str, str] = field(default_factory=dict)
    structs: dict[str, list[list[Any]]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    atomic: set[str] = field(default_factory=set)
    enums: dict[str, list[str]] = field(default_factory=dict)
    constants: list[tuple[str, str]] = field(default_factory=list)


def main() -> None:
    modules = Path(sys.argv[1])
    packages: dict[str, Package] = {}
    for path, name in PACKAGES.items():
        module, _, rest = path.removeprefix("k8s.io/").partition("/")
        packages[name] = read_package(name, modules / f"{module}@{VERSION}" / rest)
    table = Table(packages)
    for name, kinds in KINDS.items():
        for kind in kinds.split():
            table.add(f"{name}.{kind}")
            table.kinds[f"{GROUPS.get(name, name)}/{kind}"] = f"{name}.{kind}"
    out = Path(__file__).parent.parent / "src/weft/apiserver/schema/table.json"
    lines = [f"{json.dumps(name)}:{json.dumps(fields, separators=(',', ':'))}" for name, fields in table.sorted()]
    kinds_text = json.dumps(dict(sorted(table.kinds.items())), separators=(",", ":"))
    atomic = sorted(
        name for name in table.structs if name.rpartition(".")[2] in packages[name.rpartition(".")[0]].atomic
    )
    atomic_text = json.dumps(atomic, separators=(",", ":"))
    out.write_text(
        '{"kinds":' + kinds_text + ',\n"atomic":' + atomic_text + ',\n"structs":{\n' + ",\n".join(lines) + "\n}}\n"
    )
    print(f"{len(table.structs)} structs, {len(table.kinds)} kinds, {out.stat().st_size} bytes")


class Table:
    def __init__(self, packages: dict[str, Package]) -> None:
        self.packages = packages
        self.kinds: dict[str, str] = {}
        self.structs: dict[str, list[list[Any]]] = {}

    def sorted(self) -> list[tuple[str, list[list[Any]]]]:
        return sorted(self.structs.items())

    def add(self, name: str) -> None:
        if name in self.structs:
            return
        package_name, _, short = name.rpartition(".")
        package = self.packages[package_name]
        self.structs[name] = fields = []
        for json_name, number, go_type, flags, extras, proto_name in package.structs[short]:
            code, go_name = self.resolve(package, go_type)
            expected = package.numbers[short].get(proto_name)
            if expected != number:
                raise SystemExit(f"{name}.{json_name}: types.go says {number}, generated.proto {expected}")
            enum = self.enum(package, go_type)
            if enum:
                extras = {**extras, "en": enum}
            if go_name and "i" not in flags:
                extras = {**extras, "go": go_name}
            pointer = "*" if go_type.startswith("*") else ""
            fields.append([json_name, number, code, pointer + flags, *([extras] if extras else [])])
            target = code.removeprefix("[]").removeprefix("{}").removeprefix("[]")
            if "." in target:
                self.add(target)

    def enum(self, package: Package, go_type: str) -> list[str]:
        """The values that a type may have which is marked `+enum`, or a list of such."""
        short = go_type.removeprefix("*").removeprefix("[]")
        if "." in short:
            alias, short = short.split(".")
            package = self.packages.get(PACKAGES.get(package.aliases.get(alias, ""), ""), package)
        return sorted(package.enums.get(short, ()))

    def resolve(self, package: Package, go_type: str) -> tuple[str, str]:
        """Type code, and the name of the Go type where it is a named scalar, list or map."""
        go_type = go_type.removeprefix("*")
        if go_type in SCALARS:
            return SCALARS[go_type], go_type if "." in go_type and go_type.startswith("types.") else ""
        if go_type.startswith("[]"):
            code, go_name = self.resolve(package, go_type[2:])
            return "[]" + code, "[]" + go_name if go_name else ""
        if go_type.startswith("map["):
            key, _, value = go_type[4:].partition("]")
            code, go_name = self.resolve(package, value)
            return "{}" + code, f"map[{qualified(package.name, key)}]{go_name or value}" if key != "string" else ""
        owner, short = package, go_type
        if "." in go_type:
            alias, short = go_type.split(".")
            owner = self.packages[PACKAGES[package.aliases[alias]]]
        full = f"{owner.name}.{short}"
        if full in SCALARS:
            return SCALARS[full], ""
        if short in owner.structs:
            return full, ""
        under = owner.named[short]
        if under.startswith("[]"):
            return "w", qualified(owner.name, short)
        return self.resolve(owner, under)[0], qualified(owner.name, short)


def qualified(package: str, name: str) -> str:
    return name if name == "string" else f"{package.partition('/')[2]}.{name}"


def read_package(name: str, folder: Path) -> Package:
    package = Package(name)
    for path in sorted(folder.glob("*.go")):
        if not path.name.startswith(("zz_", "generated")) and not path.name.endswith("_test.go"):
            read_go(package, path.read_text().splitlines())
    for type_name, value in package.constants:
        if type_name in package.enums:
            package.enums[type_name].append(value)
    message = ""
    for line in (folder / "generated.proto").read_text().splitlines():
        if line.startswith("message "):
            message = line.split()[1]
            package.numbers[message] = {}
        elif found := PROTO_FIELD.match(line):
            package.numbers[message][found[1]] = int(found[2])
    return package


def read_go(package: Package, lines: list[str]) -> None:
    constants: list[tuple[str, str]] = []
    struct: str = ""
    atomic = enum = False
    markers: list[tuple[str, str]] = []
    for line in lines:
        if struct:
            if line == "}":
                struct = ""
            elif found := MARKER.match(line):
                markers.append((found[1], found[2] or ""))
            elif found := MEMBER.match(line):
                member = read_member(found[1], found[2], found[3], markers)
                markers = []
                if member:
                    package.structs[struct].append(member)
            elif not line.strip():
                markers = []
        elif line.startswith("//") or not line:
            atomic = line == "// +structType=atomic" or (atomic and bool(line))
            enum = line == "// +enum" or (enum and bool(line))
        elif found := STRUCT.match(line):
            struct = found[1]
            package.structs[struct] = []
            if atomic:
                package.atomic.add(struct)
            markers = []
        elif found := NAMED.match(line):
            package.named[found[1]] = found[2]
            if enum:
                package.enums.setdefault(found[1], [])
        elif found := CONSTANT.match(line):
            constants.append((found[1] or found[2], found[3]))
        elif found := ALIAS.match(line):
            package.aliases[found[1]] = found[2]

    package.constants += constants


def read_member(name: str | None, go_type: str, tags: str, markers: list[tuple[str, str]]) -> list[Any] | None:
    tag = dict(TAG.findall(tags))
    if "protobuf" not in tag or "json" not in tag:
        return None
    json_name, *options = tag["json"].split(",")
    parts = tag["protobuf"].split(",")
    proto_name = next((part[5:] for part in parts if part.startswith("name=")), "")
    if not proto_name:
        bare = (name or go_type).rpartition(".")[2]
        proto_name = bare[0].lower() + bare[1:]
    flags = "".join(
        code for option, code in (("omitempty", "o"), ("omitzero", "z"), ("inline", "i")) if option in options
    )
    marks = {key: value for key, value in markers if key not in ("listMapKey", "required", "optional")}
    keys = [value for key, value in markers if key == "listMapKey"]
    optional = any(key == "optional" for key, _ in markers)
    if "omitempty" not in options and "inline" not in options and not optional:
        flags += "r"
    extras: dict[str, Any] = {}
    if "patchStrategy" in tag:
        extras["ps"] = tag["patchStrategy"]
    if "patchMergeKey" in tag:
        extras["mk"] = tag["patchMergeKey"]
    for mark, code in (("listType", "lt"), ("mapType", "lt"), ("structType", "st")):
        if mark in marks:
            extras[code] = marks[mark]
    if keys:
        extras["lk"] = keys
    return [json_name, int(parts[1]), go_type, flags, extras, proto_name]


if __name__ == "__main__":
    main()
