"""The ways back: whatever Cluster API was told about a cluster goes, and no server with it."""
