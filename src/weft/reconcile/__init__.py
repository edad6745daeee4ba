"""The one reconcile loop, its work queue, and the health that it reports."""
