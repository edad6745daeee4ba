"""Answers for the cluster's zones from Services, EndpointSlices, Namespaces and (where asked) Pods."""
