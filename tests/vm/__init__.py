"""What this machine's kernel does not have, tried in a virtual machine that has it."""
