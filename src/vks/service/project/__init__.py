"""Project: a tenant's namespace, and the cloud credentials that its clusters are made with."""
