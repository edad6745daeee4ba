"""The userspace mode: this process listens at every address and port of a Service, and passes bytes on."""
