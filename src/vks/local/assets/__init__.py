"""Obtains the upstream programs that a region runs, at their pinned versions."""

from vks.local.assets.ensure import ensure_assets, ensure_release
from vks.local.assets.hollow import ensure_hollow
from vks.local.assets.model import Assets, Release
from vks.local.assets.versions import (
    UpstreamError,
    Versions,
    kubernetes_projects,
    pinned_versions,
)

__all__ = [
    "Assets",
    "Release",
    "UpstreamError",
    "Versions",
    "ensure_assets",
    "ensure_hollow",
    "ensure_release",
    "kubernetes_projects",
    "pinned_versions",
]
