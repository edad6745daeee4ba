"""What nodes need of the world outside the lab: images, names, and HTTP(S) through the host's own connection."""
