"""Migration: moves a running cluster from the legacy provisioner to Cluster API, in place."""
