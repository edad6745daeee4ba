"""The images that `weft images build` knows, each from programs that Debian packages."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from weft.lab.images import programs
from weft.lab.images.build import Definition, add_libraries, add_programs
from weft.lab.images.layer import Layer
from weft.lab.images.runtime import add_libraries_of_weft, add_python, add_weft, stamp

_WELCOME = b"""<!DOCTYPE html>
<html><head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1><p>This page is served from a pod of a Weft lab.</p></body></html>
"""
_NGINX_CONF = b"""worker_processes 1;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  types { text/html html; text/css css; application/json json; image/svg+xml svg; }
  default_type application/octet-stream;
  access_log /dev/stdout combined;
  client_body_temp_path /tmp/nginx-body;
  proxy_temp_path /tmp/nginx-proxy;
  fastcgi_temp_path /tmp/nginx-fastcgi;
  uwsgi_temp_path /tmp/nginx-uwsgi;
  scgi_temp_path /tmp/nginx-scgi;
  include /etc/nginx/conf.d/*.conf;
}
"""
_NGINX_SERVER = b"""server {
  listen 80;
  listen [::]:80;
  location / { root /usr/share/nginx/html; index index.html; }
}
"""


def add_shell(layer: Layer) -> None:
    """busybox with all its applets, and dash as /bin/sh (busybox's own shell prefers applets to files of a name)."""
    busybox = programs.find("busybox", "busybox-static")
    layer.file(busybox.resolve(), "bin/busybox")
    add_libraries(layer, busybox)
    applets = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, check=True, timeout=20).stdout
    for applet in applets.split():
        if f"bin/{applet}" not in layer and f"usr/bin/{applet}" not in layer and applet != "sh":
            layer.link(f"bin/{applet}", "/bin/busybox")
    dash = programs.find("dash", "dash")
    layer.file(dash.resolve(), "bin/sh")
    add_libraries(layer, dash)


def _nginx(layer: Layer) -> None:
    add_programs(layer, [("nginx", "nginx-light")])
    layer.content("etc/nginx/nginx.conf", _NGINX_CONF)
    layer.content("etc/nginx/conf.d/default.conf", _NGINX_SERVER)
    layer.content("usr/share/nginx/html/index.html", _WELCOME)
    for directory in ("var/log/nginx", "var/lib/nginx", "usr/share/nginx"):
        layer.directory(directory)
    mime = Path("/etc/nginx/mime.types")
    if mime.exists():
        layer.file(mime)
    add_shell(layer)


def _runtime(layer: Layer) -> None:
    add_python(layer)
    add_libraries_of_weft(layer)


_TOOLS = (
    ("curl", "curl"),
    ("dig", "dnsutils"),
    ("nslookup", "dnsutils"),
    ("nc", "netcat-openbsd"),
    ("tcpdump", "tcpdump"),
    ("iperf3", "iperf3"),
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("bash", "bash"),
)


def _toolbox(layer: Layer) -> None:
    add_programs(layer, _TOOLS)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        layer.file(bundle)
    add_shell(layer)


def _pause(layer: Layer) -> None:
    """The process that holds a pod's namespaces: compiled when Weft was installed, else busybox asleep."""
    compiled = Path(__file__).with_name("weft-pause")
    if compiled.exists():
        layer.file(compiled, "pause")
        return
    busybox = programs.find("busybox", "busybox-static")
    layer.file(busybox.resolve(), "bin/busybox")
    add_libraries(layer, busybox)
    layer.content("pause", b"#!/bin/busybox sh\nexec /bin/busybox sleep 2147483647\n", 0o755)


def nginx_version() -> str:
    """`1.22.1`, or "" when nginx is not there."""
    try:
        nginx = programs.find("nginx", "nginx-light")
    except ValueError:
        return ""
    banner = subprocess.run([str(nginx), "-v"], capture_output=True, text=True, check=False, timeout=20).stderr
    return banner.strip().rpartition("/")[2]


def definitions(weft_image: str, pause_image: str) -> dict[str, Definition]:
    """By name; the last three are the system's own. One that has a base comes after it."""
    runtime = f"registry.weft.local/runtime:{stamp()}"
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    nginx = tuple(f"nginx:{tag}" for tag in ("latest", nginx_version()) if tag)
    shell = {"busybox": "busybox-static", "dash": "dash"}
    return {
        "busybox": Definition(("busybox", "busybox:stable"), shell, add_shell, command=("sh",)),
        "nginx": Definition(
            nginx,
            {"nginx": "nginx-light", **shell},
            _nginx,
            entrypoint=(),
            command=("nginx", "-g", "daemon off;", "-c", "/etc/nginx/nginx.conf"),
            ports=("80/tcp",),
            stop_signal="SIGQUIT",
        ),
        "runtime": Definition((runtime,), {}, _runtime),
        "python": Definition(
            ("python", f"python:{minor}", "python:3"), shell, add_shell, command=("python3",), base=runtime
        ),
        "toolbox": Definition(("toolbox", "weft/toolbox"), {**dict(_TOOLS), **shell}, _toolbox, command=("bash",)),
        "pause": Definition((pause_image,), {}, _pause, entrypoint=("/pause",), user="65535:65535"),
        "weft": Definition(
            (weft_image,),
            {},
            add_weft,
            base=runtime,
            entrypoint=("/usr/local/bin/weft",),
            environment=("PYTHONDONTWRITEBYTECODE=1", f"WEFT_PYTHON={sysconfig.get_python_version()}"),
        ),
    }
