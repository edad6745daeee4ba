"""This machine as a Node: what it can hold, how it is, and the lease that says it lives."""
