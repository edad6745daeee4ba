"""The iptables mode: `render` says which chains make an entry true, `state` what to write, `mode` writes it."""
