"""Pod workers: what a pod needs next (`decide`), and the steps that bring it there."""
