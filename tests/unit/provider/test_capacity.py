"""What a template promises to whoever scales its machines from zero."""

from __future__ import annotations

from vks.provider.verdamachinetemplate.reconciler import capacity
from vks.resources.verdamachine import RootVolume
from vks.verda.compute import Flavor


def test_the_disk_is_the_flavors_or_the_root_volume() -> None:
    flavor = Flavor(id="1", name="small", vcpus=2, ram=2048, disk=20)
    assert capacity(flavor) == {"cpu": "2", "memory": "2048Mi", "ephemeral-storage": "20Gi"}
    assert capacity(flavor, RootVolume(size_gib=40))["ephemeral-storage"] == "40Gi"
