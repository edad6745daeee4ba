"""Control groups of pods, in the hierarchies of version 1 or the single one of version 2."""
