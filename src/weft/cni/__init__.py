"""The Container Network Interface, 0.3.1 to 1.1.0: the protocol, the plugins, and the socket that serves them."""
