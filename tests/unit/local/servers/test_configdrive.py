import json
from dataclasses import replace
from pathlib import Path

from vks.local.fabric import Port
from vks.local.servers import Flavor, ServerSpec
from vks.local.servers.configdrive import config_drive
from vks.local.servers.lxc.config import Container, render
from vks.local.servers.lxc.rootfs import first_boot_files

ID = "0b0d1a52-0000-4000-8000-000000000001"
SPEC = ServerSpec(
    id=ID,
    name="node-1",
    hostname="node-1",
    image="image",
    flavor=Flavor("small", 2, 1024),
    zone="tokyo-2",
    project_id="project",
    ports=(Port("port-1", "net-1", "fa:16:3e:00:00:01", "10.60.1.11", 24, "10.60.1.1"),),
    user_data=b"#cloud-config\n",
    metadata={"owner": "uid"},
    public_keys={"me": "ssh-ed25519 AAAA"},
)
LATEST = "openstack/latest"


def test_meta_data_names_server_zone_and_project() -> None:
    meta = json.loads(config_drive(SPEC)[f"{LATEST}/meta_data.json"])
    assert (meta["uuid"], meta["availability_zone"], meta["project_id"]) == (
        ID,
        "tokyo-2",
        "project",
    )
    assert meta["meta"] == {"owner": "uid"}
    assert meta["public_keys"] == {"me": "ssh-ed25519 AAAA"}


def test_network_data_describes_the_port() -> None:
    data = json.loads(config_drive(SPEC)[f"{LATEST}/network_data.json"])
    assert data["links"][0]["ethernet_mac_address"] == "fa:16:3e:00:00:01"
    assert data["networks"][0]["netmask"] == "255.255.255.0"
    assert data["networks"][0]["routes"][0]["gateway"] == "10.60.1.1"


def test_user_data_is_passed_unchanged_or_is_absent() -> None:
    assert config_drive(SPEC)[f"{LATEST}/user_data"] == b"#cloud-config\n"
    assert f"{LATEST}/user_data" not in config_drive(replace(SPEC, user_data=b""))


def test_the_machine_id_is_the_servers_uuid_and_the_gateway_resolves_names() -> None:
    files = first_boot_files(SPEC)
    assert files["etc/machine-id"] == b"0b0d1a52000040008000000000000001\n"
    assert files["etc/resolv.conf"] == b"nameserver 10.60.1.1\n"
    asked = first_boot_files(replace(SPEC, dns_servers=("10.60.0.53",)))
    assert asked["etc/resolv.conf"] == b"nameserver 10.60.0.53\n"


def test_the_flavor_limits_the_container_on_both_cgroup_versions() -> None:
    place = Container("node-1", Path("/r"), Path("/n"), Path("/d"), "vks-a.x")
    first = render(place, SPEC.flavor, cgroup_v2=False)
    assert "lxc.cgroup.memory.limit_in_bytes = 1073741824\n" in first
    assert "lxc.cgroup.cpu.shares = 2048\n" in first
    second = render(place, SPEC.flavor, cgroup_v2=True)
    assert "lxc.cgroup2.memory.max = 1073741824\n" in second
    assert "lxc.cgroup.memory" not in second
