"""The pool on a real btrfs file system of its own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vks.local.image.build import UNUSED_SECONDS, prune_images
from vks.local.image.pool import Pool, PoolError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    pool = Pool(tmp_path)
    pool.mount()
    yield pool
    if pool.mounted():
        subprocess.run(["umount", pool.root], check=True)


def make_image(pool: Pool, name: str, *, asked_for: float) -> Path:
    path = pool.images / name
    pool.create(path)
    (path / "file").write_text(name)
    mark = pool.images / f"{name}.used"
    mark.touch()
    os.utime(mark, (asked_for, asked_for))
    return path


def test_mounting_twice_is_mounting_once(pool: Pool) -> None:
    pool.mount()
    assert Path("/proc/mounts").read_text().count(f" {pool.root} ") == 1


def test_a_disk_is_a_copy_that_leaves_its_image_alone(pool: Pool) -> None:
    image = make_image(pool, "image", asked_for=0)
    disk = pool.instance("tokyo") / "server"
    pool.snapshot(image, disk)
    (disk / "file").write_text("changed")
    assert (image / "file").read_text() == "image"
    assert pool.instances_in_use() == ["tokyo"]


def test_a_read_only_snapshot_cannot_be_written(pool: Pool) -> None:
    target = pool.images / "frozen"
    pool.snapshot(make_image(pool, "image", asked_for=0), target, read_only=True)
    with pytest.raises(OSError, match="Read-only"):
        (target / "file").write_text("x")


def test_a_disk_goes_with_the_subvolumes_that_were_made_inside_it(pool: Pool) -> None:
    disk = pool.instance("tokyo") / "server"
    pool.create(disk)
    pool.create(disk / "var" / "lib" / "machines")
    pool.create(disk / "var" / "lib" / "machines" / "inner")
    pool.delete(disk)
    assert not disk.exists()
    pool.delete(disk)


def test_the_pool_stays_mounted_while_an_instance_claims_it(pool: Pool) -> None:
    pool.claim("tokyo")
    pool.claim("osaka")
    pool.create(pool.instance("tokyo") / "server")
    assert pool.instances_in_use() == ["osaka", "tokyo"]
    pool.release("osaka")
    assert pool.unmount_if_unused() is False
    pool.release("tokyo")
    pool.release("tokyo")
    assert pool.unmount_if_unused() is True
    assert not pool.mounted()


def test_a_pool_with_open_files_is_not_unmounted(pool: Pool) -> None:
    with (pool.images / "open").open("w"):
        assert pool.unmount_if_unused() is False
    assert pool.mounted()


def test_what_was_in_the_pool_is_there_after_mounting_again(pool: Pool) -> None:
    make_image(pool, "image", asked_for=0)
    assert pool.unmount_if_unused() is True
    pool.mount()
    assert (pool.images / "image" / "file").read_text() == "image"


def test_only_old_images_without_disks_are_pruned(pool: Pool) -> None:
    now = 10 * UNUSED_SECONDS
    for name in ("old", "old-with-disk", "old-but-wanted"):
        make_image(pool, name, asked_for=now - UNUSED_SECONDS - 1)
    make_image(pool, "recent", asked_for=now - UNUSED_SECONDS + 60)
    pool.snapshot(pool.images / "old-with-disk", pool.instance("tokyo") / "server")
    assert prune_images(pool, keep="old-but-wanted", now=now) == ["old"]
    left = {path.name for path in pool.images.iterdir() if path.is_dir()}
    assert left == {"old-with-disk", "old-but-wanted", "recent"}


def test_a_failing_tool_is_quoted(pool: Pool) -> None:
    with pytest.raises(PoolError, match="btrfs -q subvolume snapshot"):
        pool.snapshot(pool.images / "missing", pool.images / "copy")
