"""Subresources that are more than a part of their object: scale, binding, eviction, finalize, tokens."""

import time

from aiohttp import web

from weft.apiserver import schema
from weft.apiserver.auth import AccessControl
from weft.apiserver.http import body, negotiate, patches, reply, writes
from weft.apiserver.http.writes import Write
from weft.apiserver.registry import deletion, failures, subresources
from weft.apiserver.registry.kind import Kind, Object
from weft.apiserver.storage.record import decode
from weft.cluster.objects.resource import PODS, Resource


async def sent(request: web.BaseRequest, resource: Resource) -> Object:
    raw = await body.read(request)
    obj = body.decode_object(body.media_type(request), raw, resource.kind, resource.api_version)
    report = schema.check(resource.group, resource.version, resource.kind, obj)
    if report.errors:
        words = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise failures.bad_request(f"{words}: {report.errors[0]}")
    return report.object


async def scale(write: Write) -> web.Response:
    """get, update and patch of …/scale."""
    verb, name = write.info.verb, write.info.name
    if verb == "get":
        record = write.registry.get(write.kind, write.namespace, name)
        return await reply.obj(write.request, 200, subresources.scale_of(record.object()), write.output)
    if verb == "update":
        wanted = await sent(write.request, subresources.SCALE)
        writes.check_name(wanted.setdefault("metadata", {}), name, write.namespace)
        change = lambda old: subresources.scaled(old, wanted)  # noqa: E731
    elif verb == "patch":
        raw = await body.read(write.request)
        kind = Kind(subresources.SCALE, "scale")
        merge = patches.change(kind, body.media_type(write.request), raw)
        change = lambda old: subresources.scaled(old, merge(subresources.scale_of(old)))  # noqa: E731
    else:
        raise failures.method_not_allowed()
    result = await write.registry.update(write.kind, write.namespace, name, change, write.context())
    return await reply.obj(write.request, 200, subresources.scale_of(decode(result.data)), write.output)


async def binding(write: Write, name: str = "") -> web.Response:
    """create of pods/NAME/binding, and of bindings, which names the pod itself."""
    wanted = await sent(write.request, subresources.BINDING)
    name = write.info.name or (wanted.get("metadata") or {}).get("name", "")
    pods = write.registry.kinds[PODS]
    context = write.context()
    now = time.time()
    await write.registry.update(pods, write.namespace, name, lambda pod: subresources.bound(pod, wanted, now), context)
    return await reply.obj(write.request, 201, subresources.success(pods))


async def eviction(write: Write, access: AccessControl) -> web.Response:
    """create of pods/NAME/eviction: a delete that disruption budgets could hold back; there are none yet."""
    wanted = await sent(write.request, subresources.EVICTION)
    given = wanted.get("deleteOptions") or {}
    if errors := deletion.options_errors(given):
        raise failures.invalid(subresources.EVICTION, write.info.name, errors)
    record = write.registry.get(write.kind, write.namespace, write.info.name)
    access.admit_eviction(write.kind, record.object(), write.user)
    options = deletion.parse_options(given)
    context = write.registry.context(write.user, write.context(options.dry_run).dry_run, "eviction")
    now = time.time()
    await write.registry.update(
        write.kind, write.namespace, write.info.name, lambda pod: subresources.evicted(pod, now), context
    )
    await write.registry.delete(write.kind, write.namespace, write.info.name, options, context)
    return await reply.obj(write.request, 201, subresources.success(write.kind))


async def finalize(write: Write) -> web.Response:
    wanted = await write.sent()
    name = write.info.name
    result = await write.registry.update(
        write.kind, "", name, lambda old: subresources.finalized(old, wanted), write.context()
    )
    return await write.answer(result)


async def ephemeral_containers(write: Write) -> web.Response:
    if write.info.verb == "update":
        wanted = await write.sent()
        change = lambda old: subresources.with_ephemeral_containers(old, wanted)  # noqa: E731
    elif write.info.verb == "patch":
        raw = await body.read(write.request)
        merge = patches.change(write.kind, body.media_type(write.request), raw)
        change = lambda old: subresources.with_ephemeral_containers(  # noqa: E731
            old, write.fitted_patch(merge(decode_copy(old)))
        )
    else:
        record = write.registry.get(write.kind, write.namespace, write.info.name)
        return await reply.data(write.request, 200, record.data)
    result = await write.registry.update(write.kind, write.namespace, write.info.name, change, write.context())
    return await write.answer(result)


def decode_copy(obj: Object) -> Object:
    """Patches share what they leave alone with the old object: the old one must stay apart here."""
    return {**obj, "metadata": {**obj["metadata"]}, "spec": {**(obj.get("spec") or {})}}


async def token(write: Write, access: AccessControl) -> web.Response:
    wanted = await sent(write.request, subresources.TOKEN_REQUEST)
    made = access.request_token(write.user, write.namespace, write.info.name, wanted, write.registry.reader)
    return await reply.obj(write.request, 201, made)


async def review(kind: Kind, write: Write, access: AccessControl) -> web.Response:
    """Questions that are answered and not stored."""
    wanted = await sent(write.request, kind.resource)
    answer = access.review(kind.resource.plural, write.user, wanted, write.namespace)
    negotiate.negotiate(write.request.headers.get("Accept", ""))
    return await reply.obj(write.request, 201, answer, write.output)
