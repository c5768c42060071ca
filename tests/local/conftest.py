"""An instance of the test's own, on the real kernel, and what it needs to be torn down."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support.fabric import NETWORK

from vks.local.fabric import Fabric
from vks.local.instance import Instance

INIT = """#!/bin/sh
echo booted
trap 'exit 0' 37
while :; do sleep 1000 & wait $!; done
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if os.geteuid() == 0 and shutil.which("lxc-start") and shutil.which("haproxy"):
        return
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs root, lxc and haproxy"))


@pytest.fixture
def instance() -> Iterator[Instance]:
    # not tmp_path: the path of a unix socket has at most 107 bytes
    with tempfile.TemporaryDirectory(prefix="vks-") as home:
        name = "t-" + os.urandom(4).hex()
        yield Instance(name, Path(home) / "home", Path(home) / "cache")


@pytest.fixture
async def fabric(instance: Instance) -> AsyncIterator[Fabric]:
    fabric = Fabric(instance)
    await fabric.create()
    try:
        await fabric.ensure_network(NETWORK, "10.60.1.0/24", "10.60.1.1")
        yield fabric
    finally:
        await fabric.destroy()


@pytest.fixture
def image(instance: Instance) -> Iterator[Path]:
    """A subvolume, in a pool of the instance's own, that boots to a shell script."""
    file, pool = instance.cache / "pool.btrfs", instance.cache / "pool"
    pool.mkdir(parents=True)
    with file.open("wb") as sparse:
        sparse.truncate(256 * 2**20)
    subprocess.run(["mkfs.btrfs", "-q", file], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", file, pool], check=True)
    try:
        root = pool / "image"
        subprocess.run(["btrfs", "-q", "subvolume", "create", root], check=True)
        for directory in ("dev", "proc", "sys", "run", "tmp", "etc", "sbin", "bin"):
            (root / directory).mkdir()
        for program in ("/bin/sh", "/bin/sleep"):
            _copy_with_libraries(program, root)
        (root / "sbin/init").write_text(INIT)
        (root / "sbin/init").chmod(0o755)
        yield root
    finally:
        subprocess.run(["umount", pool], check=True)


def _copy_with_libraries(program: str, root: Path) -> None:
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    for source in (program, *libraries):
        target = root / source.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
