"""A changed Corefile takes effect by itself."""
