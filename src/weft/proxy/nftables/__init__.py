"""Mode nftables: two maps for all Services, whatever their number, in a table of our own for each family."""
