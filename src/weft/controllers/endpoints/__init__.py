"""Endpoints of Services: EndpointSlices, the legacy Endpoints, and slices that mirror hand-written Endpoints."""
