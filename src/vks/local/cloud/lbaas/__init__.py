"""LBaaS v1, Verda's own: load balancers, listeners, pools, members."""
