"""What users say: Kubernetes API objects as value types, trimmed to the fields that Weft reads.

Components that only read decode straight into these structs (unknown fields are dropped at the border, so 10,000
Services cost little). What must round-trip every field (controllers' templates, the API server) stays a plain dict.
"""
