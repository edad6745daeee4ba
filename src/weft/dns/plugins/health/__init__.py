"""The health endpoint, and how long to go on answering after the order to stop."""
