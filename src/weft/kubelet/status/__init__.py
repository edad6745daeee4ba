"""What the API server is told of a pod: containers' states, phase, conditions, and the patch that carries them."""
