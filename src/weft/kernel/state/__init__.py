"""What the kernel holds, as frozen values: links, addresses, routes, neighbours, system controls, nftables. Pure."""
