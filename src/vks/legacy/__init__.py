"""The legacy provisioner: agents on every node, driven over websockets with node plans."""
