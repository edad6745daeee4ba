"""The executable that a runtime starts: passes the request to the agent's socket and prints the answer."""
