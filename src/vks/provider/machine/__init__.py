"""What the provider says on the Machines that its servers are made for.

Two things that only the provider knows, in the places that Cluster API reads them from: whether
the server under a machine is still there, and whether a control plane may be taken down yet.
"""
