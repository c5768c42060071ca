"""Makes a node of a stock Debian image at its first boot: the answer where no image is built.

The same steps as in the node image run on the server itself, as one script that user data
can carry (`preKubeadmCommands`). What they install, the payload, is one tar file that the
server downloads.
"""

from __future__ import annotations

import shlex
import tarfile
import tempfile
from pathlib import Path

from vks.local.assets.model import Release
from vks.local.image import recipe
from vks.local.image.build import write_payload
from vks.local.image.containers import pause_image


def first_boot_script(release: Release, payload_url: str) -> str:
    """A POSIX shell script that installs the node's parts, once; it may run again after a crash.

    `payload_url` is where the server finds the file that `pack_payload` wrote.
    """
    header = [
        "#!/bin/sh",
        "# Makes a Kubernetes node of a Debian system. Generated from the node image's steps.",
        "set -eu",
        "test ! -e /var/lib/vks-node-ready || exit 0",
        "export DEBIAN_FRONTEND=noninteractive",
        "apt-get update -q",
        f"apt-get install -q -y --no-install-recommends {' '.join(recipe.packages('node'))}",
        "VKS_PAYLOAD=$(mktemp -d)",
        f'curl -fsSL --retry 5 {shlex.quote(payload_url)} | tar -x -C "$VKS_PAYLOAD"',
        f"VKS_PAUSE_IMAGE={shlex.quote(pause_image(release.container_images))}",
        recipe.detection(),
    ]
    steps = [f"# --- {step.name}\n{step.script}" for step in recipe.steps(recipe.NODE_STEPS)]
    # containerd was started by its package with the configuration that the steps replaced.
    restart = "systemctl daemon-reload\nsystemctl restart containerd.service\n"
    images_last = [*steps[:-1], restart, steps[-1]]
    footer = ["sysctl -q --system", 'rm -rf "$VKS_PAYLOAD"', "touch /var/lib/vks-node-ready"]
    return "\n".join((*header, *images_last, *footer)) + "\n"


def pack_payload(release: Release, base_layer: Path, target: Path) -> None:
    """Write the tar file for `payload_url`: programs, and images over `base_layer`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        write_payload(Path(name), release, base_layer)
        partial = target.with_suffix(".partial")
        with tarfile.open(partial, "w") as payload:
            for path in sorted(Path(name).iterdir()):
                payload.add(path, path.name)
        partial.rename(target)
