"""Manifests of the walks."""

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: nginx
        ports: [{name: http, containerPort: 80}]
        command: [sh, -c]
        args: ['echo "$POD_NAME $VERSION" > /usr/share/nginx/html/index.html; exec nginx -g "daemon off;"']
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: VERSION, value: one}
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

CLIENT = """
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: client, image: toolbox, command: [sleep, infinity]}
"""

HOSTS = """
apiVersion: v1
kind: Pod
metadata: {name: hosts}
spec:
  restartPolicy: Never
  hostAliases:
  - {ip: 127.0.0.1, hostnames: [foo.local, bar.local]}
  - {ip: 10.1.2.3, hostnames: [foo.remote, bar.remote]}
  containers:
  - {name: cat, image: busybox, command: [cat], args: [/etc/hosts]}
"""

PAIR = """
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: server
    image: python
    command: [python3, -m, http.server, "8000"]
  - {name: other, image: toolbox, command: [sleep, infinity]}
"""


def server(name: str, node: str) -> str:
    """A pod on `node` that answers HTTP with the address that its client has."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 0
  containers:
  - name: server
    image: python
    command: [python3, -c]
    args:
    - |
      import socket
      from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
      class Handler(BaseHTTPRequestHandler):
          def do_GET(self):
              body = (self.client_address[0] + "\\n").encode()
              self.send_response(200)
              self.send_header("Content-Length", str(len(body)))
              self.end_headers()
              self.wfile.write(body)
      ThreadingHTTPServer.address_family = socket.AF_INET6
      ThreadingHTTPServer(("::", 8080), Handler).serve_forever()
    readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
"""
