"""VKS, the Verda Kubernetes Service: managed Kubernetes on upstream Cluster API."""
