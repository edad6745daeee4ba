"""The kernel in memory, for tests."""
