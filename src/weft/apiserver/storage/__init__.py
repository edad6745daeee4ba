"""What the server remembers: a journal on disk, and every resource's newest objects and recent changes in memory."""
