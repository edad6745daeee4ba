"""DNS messages (RFC 1035, RFC 6891): pure functions from bytes to values and back.

A name is its uncompressed wire form (`\\x03web\\x07default…\\x00`), so that comparing and joining names is comparing
and joining bytes; text appears only at the edges (configuration, logs, metrics).
"""
