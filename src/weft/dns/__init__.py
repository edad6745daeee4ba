"""Cluster DNS: CoreDNS's job with CoreDNS's Corefile; answers are prepared as wire bytes and kept true by watches."""
