"""Streams between clients and containers: SPDY spliced as bytes, WebSocket bridged to SPDY."""
