"""VKS itself: the REST API and the controllers behind it."""
