"""Takes out of the Cluster API module what running it needs, so that running needs no Go."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

MODULE = "sigs.k8s.io/cluster-api"

#: Provider, and its directory in the module.
PROVIDERS = {
    "core": "core",
    "kubeadm-bootstrap": "bootstrap/kubeadm",
    "kubeadm-control-plane": "controlplane/kubeadm",
}


class ManifestError(RuntimeError):
    """Upstream's manifests could not be rendered."""


def copy_configuration(module: Path, target: Path) -> None:
    """Copy each provider's `config` tree and the release series metadata out of `module`."""
    for directory in PROVIDERS.values():
        source, copy = module / directory / "config", target / directory / "config"
        # Files of the module cache are read-only, and so would the copies be.
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.copyfile(module / "metadata.yaml", target / "metadata.yaml")


def render(configuration: Path, target: Path, kubectl: Path) -> None:
    """Write `PROVIDER/crds.yaml` and `PROVIDER/webhooks.yaml` below `target`."""
    for provider, directory in PROVIDERS.items():
        config = configuration / directory / "config"
        output = target / provider
        output.mkdir(parents=True)
        done = subprocess.run(
            [kubectl, "kustomize", str(config / "crd")], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ManifestError(f"kubectl kustomize {config / 'crd'}: {done.stderr.strip()}")
        (output / "crds.yaml").write_text(done.stdout)
        shutil.copyfile(config / "webhook" / "manifests.yaml", output / "webhooks.yaml")
