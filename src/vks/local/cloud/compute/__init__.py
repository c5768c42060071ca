"""Nova: servers and what they need."""
