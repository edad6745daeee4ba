from tests.apiserver.server import Server

from weft.apiserver.registry.expiry import TTL, EventExpiry

EVENTS = "/api/v1/namespaces/default/events"


def event(name: str) -> dict[str, object]:
    involved = {"kind": "Pod", "namespace": "default", "name": "p"}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": "Tested", "type": "Normal"}


async def test_events_are_forgotten_an_hour_after_their_last_write(server: Server) -> None:
    now = 0.0
    await server.made(EVENTS, event("before"))
    expiry = EventExpiry(server.registry, lambda: now)
    await server.made(EVENTS, event("a"))
    await server.made(EVENTS, event("b"))
    now = TTL - 1
    assert (await server.patch(f"{EVENTS}/b", {"count": 2})).code == 200
    assert expiry.expire() == 0
    now = TTL + 1
    assert expiry.expire() == 2
    left = [item["metadata"]["name"] for item in (await server.get(EVENTS)).json["items"]]
    assert left in (["b"], ["a", "b", "before"])  # the removal may still be on its way to the disk
    now = 2 * TTL
    assert expiry.expire() == 1 and expiry.expire() == 0
