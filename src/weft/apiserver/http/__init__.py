"""HTTP: from a request's bytes to a verb on a kind, and from what came of it to a reply."""
