import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from weft.apiserver.discovery import accepted_version, api_group_discovery_list, content_type
from weft.apiserver.kinds import KINDS, REVIEWS
from weft.apiserver.openapi import document, document_v2, etag, index

ALL = KINDS + REVIEWS


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document(ALL, name) or b"null")
    return found


def test_the_index_names_every_group_version_with_its_hash() -> None:
    found = json.loads(index(ALL))["paths"]
    assert "api/v1" in found
    assert "apis/apps/v1" in found
    url, _, digest = found["apis/apps/v1"]["serverRelativeURL"].partition("?hash=")
    assert url == "/openapi/v3/apis/apps/v1"
    assert etag(ALL, "apis/apps/v1") == f'"{digest}"'
    assert all(document(ALL, name) for name in found)


def test_nothing_for_what_is_not_served() -> None:
    assert document(ALL, "apis/batch/v1") is None
    assert etag(ALL, "apis/batch/v1") is None


def test_every_reference_resolves() -> None:
    text = (document(ALL, "api/v1") or b"").decode()
    schemas = json.loads(text)["components"]["schemas"]
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas


def test_what_kubectl_apply_asks() -> None:
    """kubectl finds by GVK the PATCH that takes strategic merge patches and the parameter fieldValidation."""
    patches = [methods["patch"] for methods in loaded("apis/apps/v1")["paths"].values() if "patch" in methods]
    wanted = {"group": "apps", "version": "v1", "kind": "Deployment"}
    (first, *_) = [patch for patch in patches if patch["x-kubernetes-group-version-kind"] == wanted]
    assert "application/strategic-merge-patch+json" in first["requestBody"]["content"]
    assert "fieldValidation" in [parameter["name"] for parameter in first["parameters"]]


def test_schemas_are_openapi_3() -> None:
    schemas = loaded("api/v1")["components"]["schemas"]
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert pod["properties"]["kind"]["type"] == "string"
    assert "enum" not in pod["properties"]["kind"]
    assert pod["properties"]["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    policy = schemas["io.k8s.api.core.v1.Container"]["properties"]["imagePullPolicy"]
    assert policy["enum"] == ["Always", "IfNotPresent", "Never"]
    ports = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-patch-merge-key"] == "port"
    assert schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"


def test_version_2_is_json() -> None:
    assert json.loads(document_v2())["swagger"] == "2.0"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        version = accepted_version(self.headers.get("Accept", ""))
        kind = "application/json"
        body: bytes | None = None
        if path in ("/api", "/apis") and version:
            kind = content_type(version)
            body = json.dumps(api_group_discovery_list(ALL, path, version)).encode()  # type: ignore[arg-type]
        elif path == "/openapi/v3":
            body = index(ALL)
        elif path.startswith("/openapi/v3/"):
            body = document(ALL, path.removeprefix("/openapi/v3/"))
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_explains(server: str, tmp_path: Any) -> None:
    command = ["kubectl", "--kubeconfig=/dev/null", f"--cache-dir={tmp_path}", "-s", server]
    found = subprocess.run([*command, "explain", "pods.spec.containers"], capture_output=True, text=True, check=False)
    assert "KIND:       Pod" in found.stdout, found.stderr
    assert "terminationMessagePath\t<string>" in found.stdout
    assert "command\t<[]string>" in found.stdout
    assert "Arguments to the entrypoint." in found.stdout
    found = subprocess.run([*command, "api-resources", "-o", "name"], capture_output=True, text=True, check=False)
    assert "endpointslices.discovery.k8s.io" in found.stdout.split()
