"""The control loops that make the cluster what its objects say (kube-controller-manager's job)."""
