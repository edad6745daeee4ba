"""Validation of Ingresses (pkg/apis/networking/validation)."""

from ipaddress import ip_address

from weft.apiserver.kinds.rules import names
from weft.apiserver.kinds.rules.addresses import legacy_address
from weft.apiserver.kinds.rules.errors import Errors, each, invalid, not_supported, required
from weft.apiserver.registry.kind import Object

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS = ("/..", "/.")
_CLASS = "kubernetes.io/ingress.class"


def validate_ingress(ingress: Object) -> Errors:
    errors = _spec(ingress.get("spec") or {})
    annotation = ingress["metadata"].get("annotations", {}).get(_CLASS)
    wanted = ingress["spec"].get("ingressClassName")
    if annotation is not None and wanted is not None and annotation != wanted:
        detail = "must match `ingressClassName` when both are specified"
        errors.append(invalid(f"annotations.{_CLASS}", annotation, detail))
    return errors


def validate_update(ingress: Object, _: Object) -> Errors:
    return _spec(ingress.get("spec") or {})


def validate_status(ingress: Object, old: Object) -> Errors:
    field = "status.loadBalancer.ingress"
    before = old.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    existing = [entry["ip"] for entry in before if entry.get("ip")]
    errors: Errors = []
    for index, entry in enumerate(ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or ()):
        if entry.get("ip"):
            errors += legacy_address(f"{field}[{index}].ip", entry["ip"], existing)
        host = entry.get("hostname", "")
        if host:
            errors += each(f"{field}[{index}].hostname", host, names.subdomain(host))
            errors += _no_address(f"{field}[{index}].hostname", host)
    return errors


def _spec(spec: Object) -> Errors:
    errors: Errors = []
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        detail = "either `defaultBackend` or `rules` must be specified"
        errors.append(invalid("spec", rules or None, detail))
    if backend is not None:
        errors += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _rule(rule, f"spec.rules[{index}]")
    for index, entry in enumerate(spec.get("tls") or ()):
        errors += _tls(entry, f"spec.tls[{index}]")
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        errors += each("spec.ingressClassName", name, names.subdomain(name))
    return errors


def _rule(rule: Object, field: str) -> Errors:
    errors: Errors = []
    host = rule.get("host", "")
    if host:
        errors += _no_address(f"{field}.host", host)
        errors += each(f"{field}.host", host, _host(host))
    http = rule.get("http")
    if http is None:
        return errors
    paths = http.get("paths") or []
    if not paths:
        errors.append(required(f"{field}.http.paths"))
    for index, path in enumerate(paths):
        errors += _path(path, f"{field}.http.paths[{index}]")
    return errors


def _host(host: str) -> list[str]:
    return names.wildcard_subdomain(host) if "*" in host else names.subdomain(host)


def _path(path: Object, field: str) -> Errors:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        return [required(f"{field}.pathType", "pathType must be specified")]
    errors: Errors = []
    if kind not in _PATH_TYPES:
        errors.append(not_supported(f"{field}.pathType", kind, _PATH_TYPES))
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        errors.append(invalid(f"{field}.path", text, "must be an absolute path"))
    if kind in ("Exact", "Prefix") and text:
        errors += [invalid(f"{field}.path", text, f"must not contain '{part}'") for part in _BAD_PARTS if part in text]
        errors += [
            invalid(f"{field}.path", text, f"cannot end with '{end}'") for end in _BAD_ENDS if text.endswith(end)
        ]
    return errors + _backend(path.get("backend") or {}, f"{field}.backend")


def _backend(backend: Object, field: str) -> Errors:
    resource, service = backend.get("resource"), backend.get("service")
    if resource is not None and service is not None:
        return [invalid(field, "", "cannot set both resource and service backends")]
    if resource is not None:
        return reference_errors(resource, f"{field}.resource")
    if service is None:
        return [invalid(field, "", "resource or service backend is required")]
    name, port = service.get("name", ""), service.get("port") or {}
    errors = each(f"{field}.service.name", name, names.label(name)) if name else [required(f"{field}.service.name")]
    port_name, number = port.get("name", ""), port.get("number", 0)
    if port_name and number:
        errors.append(invalid(field, "", "cannot set both port name & port number"))
    elif port_name:
        errors += each(f"{field}.service.port.name", port_name, names.port_name(port_name))
    elif number:
        errors += each(f"{field}.service.port.number", number, names.port_number(number))
    else:
        errors.append(required(field, "port name or number is required"))
    return errors


def reference_errors(reference: Object, field: str) -> Errors:
    """A TypedLocalObjectReference."""
    errors: Errors = []
    if "apiGroup" in reference:
        errors += each(f"{field}.apiGroup", reference["apiGroup"], names.subdomain(reference["apiGroup"]))
    for name in ("kind", "name"):
        text = reference.get(name, "")
        errors += each(f"{field}.{name}", text, names.path_segment(text)) if text else [required(f"{field}.{name}")]
    return errors


def _tls(entry: Object, field: str) -> Errors:
    errors: Errors = []
    for index, host in enumerate(entry.get("hosts") or ()):
        errors += each(f"{field}.hosts[{index}]", host, _host(host))
    secret = entry.get("secretName", "")
    return errors + (each(f"{field}.secretName", secret, names.subdomain(secret)) if secret else [])


def _no_address(field: str, host: str) -> Errors:
    try:
        ip_address(host)
    except ValueError:
        return []
    return [invalid(field, host, "must be a DNS name, not an IP address")]
