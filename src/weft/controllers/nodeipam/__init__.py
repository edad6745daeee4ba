"""Gives every node its range of pod addresses (node IPAM, allocator "RangeAllocator")."""
