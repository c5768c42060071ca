"""Legacy clusters to plan for."""

from __future__ import annotations

from tests.apiserver.legacy.conftest import faults, legacy, verda_cloud

__all__ = ["faults", "legacy", "verda_cloud"]
