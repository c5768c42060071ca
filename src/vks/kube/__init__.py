"""Talks to a Kubernetes API server: objects, transport, watch, server-side apply, errors."""
