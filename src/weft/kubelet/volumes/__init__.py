"""Volumes of pods: what they hold (`payload`), how it is written at once (`atomic`), and where they lie (`manager`)."""
