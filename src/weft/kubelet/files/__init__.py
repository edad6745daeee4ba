"""Files that the kubelet manages in every container: /etc/hosts and /etc/resolv.conf. Pure."""
