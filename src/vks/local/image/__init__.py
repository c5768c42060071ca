"""The node image: a Debian system with everything in it that kubeadm needs.

The image is a read-only btrfs subvolume in a pool that all instances of the machine share; a
server's disk is a writable snapshot of it. The list of steps behind it (`steps/`) also makes
a node out of a stock image at first boot (`vks.local.image.first_boot`).
"""

from vks.local.image.build import NodeImage, ensure_image
from vks.local.image.pool import Pool, PoolError

__all__ = ["NodeImage", "Pool", "PoolError", "ensure_image"]
