"""From `POST …/clusters` to six Ready nodes with cluster DNS, against bare kubeadm.

Both make three control planes and three workers over three zones, in the same region, on the
same server back end, behind the same kind of load balancer, with the same pod network.
"""
