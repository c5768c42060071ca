"""What a plan is made from: one look at a legacy cluster, its nodes and its inside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

#: The flags of one program by name, `--` and all; a flag without a value has an empty one.
Flags = Mapping[str, str]


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One node: what its provisioner says of it, and what its own cluster does."""

    name: str
    address: str
    control_plane: bool
    ready: bool = True
    version: str = ""
    provider_id: str = ""
    #: What really runs, by component; empty for a component that does not.
    running: Mapping[str, Flags] = {}
    server_names: tuple[str, ...] = ()  # of the API server's certificate
    reserved: bool = False  # its address


class MemberFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One etcd member as the leader knows it."""

    name: str
    peer_url: str
    learner: bool = False
    healthy: bool = True


class AuthorityFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate authority whose key we hold, or not; `not_after` None: there is none."""

    name: str
    not_after: datetime | None
    has_key: bool = True
    key_fits: bool = True


class WebhookFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An admission webhook of the cluster: what it is asked about, and if it fails closed."""

    name: str
    resources: tuple[str, ...]  # PLURAL or "*"
    fails_closed: bool


class BudgetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A PodDisruptionBudget and how many of its pods may go right now."""

    name: str  # NAMESPACE/NAME
    allowed: int
    pods: int


class EncryptionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Encryption at rest: the names of the keys that the API servers use, and that we hold."""

    used: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


class QuotaFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Free servers and load balancers of the project; None is without limit."""

    servers: int | None = None
    load_balancers: int | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """`offered` are the versions that there are images of."""

    cluster: str
    generation: int = 0
    version: str
    offered: tuple[str, ...]
    ready: bool
    now: datetime
    nodes: tuple[NodeFacts, ...]
    members: tuple[MemberFacts, ...]
    authorities: tuple[AuthorityFacts, ...]
    encryption: EncryptionFacts = EncryptionFacts()
    webhooks: tuple[WebhookFacts, ...] = ()
    budgets: tuple[BudgetFacts, ...] = ()
    quota: QuotaFacts = QuotaFacts()
    #: Objects of kubeadm that are there already, as NAMESPACE/NAME.
    kubeadm_objects: tuple[str, ...] = ()
    #: Why the cluster's own API did not say what there is in it; empty: it did.
    api_failure: str = ""
    pools: int = 0
    #: Changes of its machines that users asked for and that have not ended, as TYPE NAME.
    operations: tuple[str, ...] = ()

    @property
    def control_planes(self) -> list[NodeFacts]:
        return [node for node in self.nodes if node.control_plane]

    @property
    def workers(self) -> list[NodeFacts]:
        return [node for node in self.nodes if not node.control_plane]
