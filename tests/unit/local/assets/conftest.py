"""A directory of assets, as small as can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from vks.local.assets import pinned_versions
from vks.local.assets.cluster_api import PROVIDERS
from vks.local.assets.programs import programs

KUBECTL = """#!/bin/sh
case $1 in
version) echo "Client Version: {version}" ;;
kustomize) echo "rendered: $2" ;;
esac
"""
KUBEADM = """#!/bin/sh
case $1 in
version) echo {version} ;;
config) printf 'registry.k8s.io/pause:3.10\\nregistry.k8s.io/etcd:3.6.8-0\\n' ;;
esac
"""


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A directory of assets in the pinned versions."""
    directory = tmp_path / "given" / "bin"
    directory.mkdir(parents=True)
    for program in programs(pinned_versions()):
        path = directory / program.name
        script = {"kubectl": KUBECTL, "kubeadm": KUBEADM}.get(
            program.name, "#!/bin/sh\necho {version}\n"
        )
        path.write_text(script.format(version=program.version))
        if not program.version_arguments:
            module = "/".join(program.package.split("/")[:2])
            path.write_text(f"dep\t{module}\t{program.version}\n")
        path.chmod(0o755)
    for provider in PROVIDERS.values():
        for part in ("crd", "webhook"):
            (directory.parent / "cluster-api" / provider / "config" / part).mkdir(parents=True)
        webhooks = directory.parent / "cluster-api" / provider / "config/webhook/manifests.yaml"
        webhooks.write_text(f"webhooks of {provider}\n")
    return directory.parent
