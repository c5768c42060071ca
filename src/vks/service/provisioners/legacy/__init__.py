"""The legacy provisioner, seen from the service: what it is asked for, and what comes back."""
