"""Phase 2: the legacy cluster becomes one that kubeadm's nodes can join, one module per gap."""

from __future__ import annotations

from vks.migration.prepare.configuration import Configuration
from vks.migration.prepare.controlplanes import ControlPlanes
from vks.migration.prepare.endpoint import PublicEndpoint
from vks.migration.prepare.loadbalancing import LoadBalancing
from vks.migration.prepare.nodes import NodeRoles
from vks.migration.prepare.quiet import Quiet
from vks.migration.prepare.signing import Signing
from vks.migration.prepare.standins import StandIns
from vks.migration.run.phase import Step

STEPS: tuple[Step, ...] = (
    Quiet(),
    LoadBalancing(),
    ControlPlanes(),
    PublicEndpoint(),
    NodeRoles(),
    Configuration(),
    Signing(),
    StandIns(),
)
