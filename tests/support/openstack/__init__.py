"""Real Keystone, Placement, Neutron, Glance and Nova on this machine's loopback, for tests.

The product never imports anything from here: it is the peer that the local Verda and the
cloud client are held against. Nova runs its fake virt driver in three availability zones;
Neutron has no agents. Nothing is installed system-wide: Python packages go to a venv of
their own and MariaDB and RabbitMQ are unpacked, not installed, into the cache.
"""
