"""Requests as a runtime makes them."""

from typing import Any

import msgspec

from weft.cni.request import Request, parse


def environment(
    verb: str, container: str = "c1", netns: str = "/run/netns/pod", ifname: str = "eth0"
) -> dict[str, str]:
    return {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": container,
        "CNI_NETNS": netns,
        "CNI_IFNAME": ifname,
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web",
    }


def document(**keys: Any) -> dict[str, Any]:
    return {"cniVersion": "1.1.0", "name": "weft", "type": "weft", **keys}


def request(verb: str, container: str = "c1", netns: str = "/run/netns/pod", **keys: Any) -> Request:
    return parse(environment(verb, container, netns), msgspec.json.encode(document(**keys)))
