"""What every phase of a VerdaCluster works with."""

from __future__ import annotations

from typing import NamedTuple

from vks.provider.ownership import owner_id
from vks.resources.clusterapi import Cluster
from vks.resources.verdacluster import VerdaCluster
from vks.verda.accounts import Account


class Scope(NamedTuple):
    cluster: VerdaCluster
    owner_cluster: Cluster
    account: Account

    @property
    def owner(self) -> str:
        return owner_id(self.cluster)

    @property
    def name(self) -> str:
        """For people: what the cluster's things are called in the cloud."""
        return f"vks-{self.cluster.metadata.namespace}-{self.cluster.metadata.name}"

    @property
    def pod_cidrs(self) -> tuple[str, ...]:
        return self.owner_cluster.spec.cluster_network.pods.cidr_blocks
