"""Logs of containers: the runtimes' format, reading, following, and the last words of the dead."""
