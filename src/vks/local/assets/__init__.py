"""Obtains the upstream programs that a region runs, at their pinned versions."""

from vks.local.assets.ensure import ensure_assets
from vks.local.assets.model import Assets
from vks.local.assets.versions import Versions, pinned_versions

__all__ = ["Assets", "Versions", "ensure_assets", "pinned_versions"]
