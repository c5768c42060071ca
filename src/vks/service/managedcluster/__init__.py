"""ManagedCluster: applies what the provisioner makes of it and says how far it is."""
