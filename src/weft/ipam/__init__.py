"""Who has which address: a pure allocator, pools of one or two families, and the journal that remembers."""
