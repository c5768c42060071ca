"""CAPV, the Cluster API infrastructure provider for Verda."""
