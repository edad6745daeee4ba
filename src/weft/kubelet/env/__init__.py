"""The environment of a container: values, references, fields of the pod, and where the Services are. Pure."""
