"""The verbs create, update, patch, delete and deletecollection: from the request's body to the registry."""

import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from weft.apiserver import schema
from weft.apiserver.auth.access import User
from weft.apiserver.http import body, forms, lists, negotiate, options, patches, reply
from weft.apiserver.http.info import RequestInfo
from weft.apiserver.registry import deletion, failures
from weft.apiserver.registry.admission import Context
from weft.apiserver.registry.kind import FieldError, Kind, Object
from weft.apiserver.registry.registry import Registry, Result
from weft.apiserver.storage.record import encode
from weft.cluster.errors import ApiError
from weft.cluster.objects.resource import Resource

_VALIDATIONS = ("Ignore", "Warn", "Strict")
_NO_GROUP = Resource("", "", "", "", namespaced=False)


class Write:
    """One writing request: its query, its output form, its warnings."""

    def __init__(self, registry: Registry, kind: Kind, info: RequestInfo, user: User, request: web.BaseRequest) -> None:
        self.registry = registry
        self.kind = kind
        self.info = info
        self.user = user
        self.request = request
        self.output = negotiate.negotiate(request.headers.get("Accept", ""))
        self.warnings: list[str] = []
        self.namespace = info.namespace if kind.resource.namespaced else ""
        self._validation = field_validation(request.query)

    def context(self, dry_run: bool = False) -> Context:
        dry_run = dry_run or dry_run_of(self.request.query)
        return self.registry.context(self.user, dry_run, self.info.subresource)

    async def answer(self, result: Result) -> web.Response:
        data = result.data
        if self.output is not negotiate.JSON:
            include = self.request.query.get("includeObject", "")
            data = forms.one(self.kind, data, self.output, include, time.time())
        return await reply.data(self.request, result.code, data, self.output, self.warnings)

    async def sent(self) -> Object:
        """The object in the body, in canonical form, of the kind that the path serves."""
        raw = await body.read(self.request)
        resource = self.kind.resource
        content_type = body.media_type(self.request)
        obj = body.decode_object(content_type, raw, resource.kind, resource.api_version)
        repeated = (
            schema.duplicates(raw, obj) if content_type in ("", body.JSON) and self._validation != "Ignore" else []
        )
        return self.fitted(obj, tuple(repeated))

    def fitted(self, obj: Object, repeated: tuple[str, ...] = ()) -> Object:
        """The object as its type has it. Raises ApiError 400 where it does not fit, or is strange under Strict."""
        resource = self.kind.resource
        report = schema.check(resource.group, resource.version, resource.kind, obj, repeated)
        problem = report.errors[0] if report.errors else ""
        if not problem and self._validation == "Strict":
            problem = report.strict_error()
        if problem:
            raise failures.bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {problem}'
            )
        if self._validation == "Warn":
            self.warnings += report.strict()
        return report.object

    def fitted_patch(self, obj: Object) -> Object:
        """As `fitted`, with the words for patches: 422 that shows what the patch has made."""
        resource = self.kind.resource
        report = schema.check(resource.group, resource.version, resource.kind, obj)
        problem = report.errors[0] if report.errors else ""
        if not problem and self._validation == "Strict":
            problem = report.strict_error()
        if problem:
            error = FieldError("FieldValueInvalid", "patch", problem, encode(obj).decode())
            raise failures.invalid(_NO_GROUP, "", [error])
        if self._validation == "Warn":
            self.warnings += report.strict()
        return report.object


def dry_run_of(query: Mapping[str, str]) -> bool:
    asked = query.get("dryRun", "")
    if asked not in ("", "All"):
        detail = 'supported values: "All"'
        error = FieldError("FieldValueNotSupported", "dryRun", detail, [asked])
        raise failures.invalid(Resource("meta.k8s.io", "v1", "", "CreateOptions", False), "", [error])
    return asked == "All"


def field_validation(query: Mapping[str, str]) -> str:
    asked = query.get("fieldValidation", "Warn")
    if asked not in _VALIDATIONS:
        detail = 'supported values: "", "Ignore", "Strict", "Warn"'
        error = FieldError("FieldValueNotSupported", "fieldValidation", detail, asked)
        raise failures.invalid(Resource("meta.k8s.io", "v1", "", "CreateOptions", False), "", [error])
    return asked


async def create(write: Write) -> web.Response:
    obj = await write.sent()
    meta = obj.setdefault("metadata", {})
    check_namespace(meta, write.namespace)
    return await write.answer(await write.registry.create(write.kind, write.namespace, obj, write.context()))


def check_namespace(meta: Mapping[str, Any], namespace: str) -> None:
    given = meta.get("namespace")
    if given and given != namespace:
        raise failures.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_name(meta: dict[str, Any], name: str, namespace: str) -> None:
    check_namespace(meta, namespace)
    given = meta.setdefault("name", name)
    if given != name:
        raise failures.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if namespace:
        meta["namespace"] = namespace


async def update(write: Write) -> web.Response:
    obj = await write.sent()
    check_name(obj.setdefault("metadata", {}), write.info.name, write.namespace)
    result = await write.registry.update(write.kind, write.namespace, write.info.name, lambda old: obj, write.context())
    return await write.answer(result)


async def patch(write: Write) -> web.Response:
    raw = await body.read(write.request)
    merge = patches.change(write.kind, body.media_type(write.request), raw)

    def change(old: Object) -> Object:
        new = merge(old)
        meta = new.get("metadata")
        if not isinstance(meta, dict):
            meta = new["metadata"] = {}
        check_name(meta, write.info.name, write.namespace)
        return write.fitted_patch(new)

    result = await write.registry.update(write.kind, write.namespace, write.info.name, change, write.context())
    return await write.answer(result)


async def delete_options(request: web.BaseRequest) -> deletion.DeleteOptions:
    """From the body, or from the query where there is none."""
    raw = await body.read(request)
    if raw:
        try:
            given = body.decode(body.media_type(request), raw)
        except ValueError as error:
            raise failures.bad_request(str(error)) from None
        if not isinstance(given, dict):
            raise failures.bad_request("the body of a DELETE must be DeleteOptions")
        report = schema.check("", "v1", "DeleteOptions", given)
        if report.errors:
            words = 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions'
            raise failures.bad_request(f"{words}: {report.errors[0]}")
        given = report.object
    else:
        given = _query_options(request.query)
    if errors := deletion.options_errors(given):
        raise failures.invalid(Resource("meta.k8s.io", "v1", "", "DeleteOptions", False), "", errors)
    return deletion.parse_options(given)


def _query_options(query: Mapping[str, str]) -> Object:
    given: Object = {}
    if "gracePeriodSeconds" in query:
        try:
            given["gracePeriodSeconds"] = int(query["gracePeriodSeconds"])
        except ValueError:
            text = query["gracePeriodSeconds"]
            raise failures.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if "propagationPolicy" in query:
        given["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        given["orphanDependents"] = options.flag(query, "orphanDependents")
    return given


async def delete(write: Write) -> web.Response:
    asked = await delete_options(write.request)
    context = write.context(asked.dry_run)
    result = await write.registry.delete(write.kind, write.namespace, write.info.name, asked, context)
    return await write.answer(result)


async def delete_collection(write: Write) -> web.Response:
    asked = await delete_options(write.request)
    registry, kind = write.registry, write.kind
    selected = options.parse(write.request.query, registry.stored(kind), write.namespace, "", watch=False)
    page, rv = await lists.select(registry, kind, selected)
    context = write.context(asked.dry_run)
    for record in page.records:
        try:
            await registry.delete(kind, record.namespace, record.name, asked, context)
        except ApiError as error:
            if error.code != 404:
                raise
    items = [registry.shown(kind, record.data) for record in page.records]
    data = forms.listing(kind, items, {"resourceVersion": str(rv)}, negotiate.JSON, "", time.time())
    return await reply.data(write.request, 200, data)
