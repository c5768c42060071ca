"""Makes file trees: Debian from its packages, and our steps run inside such a tree."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from vks.local.commands import CONTAINED, run_logged
from vks.local.image.recipe import SUITE
from vks.local.image.recipe import Step as RecipeStep
from vks.local.progress import Step

#: Documentation and translations are half of a small system and nobody reads them there.
#: Syncing each file is of no use in a tree that is thrown away unless it gets complete.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    "force-unsafe-io",
)

#: Mounts what a package's or our own scripts expect of a running system, then runs standard
#: input's script there. Everything is undone with the mount namespace.
_ENTER = """
root=$1 payload=$2
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount --bind "$payload" "$root/mnt"
exec chroot "$root" sh -euc "$3"
"""


_PROGRAM_DIRECTORIES = ("bin", "sbin", "usr/bin", "usr/sbin")


def debootstrap(
    target: Path, packages: Sequence[str], step: Step, log: Path, *, configured: bool = True
) -> None:
    """Install Debian `packages` and what they need into `target`.

    With `configured=False` the packages are unpacked only: enough for files in a container.
    The mirror is Debian's own, or the one in `VKS_DEBIAN_MIRROR`.
    """
    command = ["mmdebstrap", f"--variant={'minbase' if configured else 'extract'}"]
    command += [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    command += [f"--include={','.join(packages)}", SUITE, str(target)]
    if mirror := os.environ.get("VKS_DEBIAN_MIRROR"):
        command.append(mirror)
    run_logged([*CONTAINED, *command], step, log)


def run_step(
    root: Path,
    recipe_step: RecipeStep,
    variables: Mapping[str, str],
    payload: Path,
    step: Step,
    log: Path,
) -> None:
    """Run one script of the recipe inside `root`, with `payload` mounted at /mnt there."""
    command = [*CONTAINED, "sh", "-euc", _ENTER, "enter"]
    command += [str(root), str(payload), recipe_step.script]
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    run_logged(command, step, log, env={**environment, **variables, "VKS_PAYLOAD": "/mnt"})


def prepare_container_tree(root: Path) -> None:
    """Finish an unpacked tree where packages would have done it when being configured."""
    busybox = root / "bin/busybox"
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    for applet in applets.stdout.split():
        if not any(os.path.lexists(root / place / applet) for place in _PROGRAM_DIRECTORIES):
            (root / "bin" / applet).symlink_to("busybox")
    for name in ("iptables", "iptables-save", "iptables-restore"):
        for family in (name, name.replace("iptables", "ip6tables")):
            link = root / "usr/sbin" / family
            link.unlink(missing_ok=True)
            link.symlink_to("xtables-nft-multi")
    etc = root / "etc"
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (etc / "nsswitch.conf").write_text("hosts: files dns\n")


def write_layer(root: Path, target: Path) -> None:
    """Pack `root` as a container layer; equal trees give equal bytes."""
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w") as layer:
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root)
            if name.parts[0] in ("dev", "proc", "sys") or name.parts[:2] == ("var", "lib"):
                continue
            member = layer.gettarinfo(path, str(name))
            member.mtime = 0
            member.uname = member.gname = "root"
            if member.isreg():
                with path.open("rb") as content:
                    layer.addfile(member, content)
            else:
                layer.addfile(member)
    partial.rename(target)
