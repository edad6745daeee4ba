"""The kernel itself: rtnetlink, network namespaces, system controls, probes."""
