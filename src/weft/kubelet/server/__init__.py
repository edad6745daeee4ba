"""The node agent's HTTPS server (10250): logs, exec, attach, port-forward, what runs here."""
