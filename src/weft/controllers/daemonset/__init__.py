"""DaemonSet: one pod on every node that can take it."""
