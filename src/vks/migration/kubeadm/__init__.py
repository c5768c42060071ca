"""What `kubeadm init` leaves in a cluster, made from what really runs."""
