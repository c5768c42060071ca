"""Phase 2: the legacy cluster becomes one that kubeadm's nodes can join."""

from vks.migration.run.phase import Step

STEPS: tuple[Step, ...] = ()
