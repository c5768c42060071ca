"""The cloud controller manager's work, done from the management side for every cluster."""
