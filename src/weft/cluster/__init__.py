"""The door to Kubernetes: objects, the port, its real implementation (HTTPS) and a faithful fake."""
