"""The controller runtime: informers, queues, controllers, leases, shards, metrics."""
