"""The node image booted for real: systemd, cloud-init with a config drive, kubeadm's init."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from vks.local.assets import Assets, ensure_assets
from vks.local.image import NodeImage, Pool, ensure_image
from vks.local.progress import terminal_progress

# Without assets in the cache the first test waits for their build.
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="system containers need root"),
    pytest.mark.timeout(3600),
]

CACHE = Path(os.environ.get("VKS_CACHE", "/var/cache/vks"))
ADDRESS = "10.61.77.2"
BOOT_SECONDS = 120.0

USER_DATA = f"""## template: jinja
#cloud-config
write_files:
- path: /run/kubeadm/kubeadm.yaml
  content: |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: InitConfiguration
    localAPIEndpoint: {{advertiseAddress: {ADDRESS}}}
    nodeRegistration:
      name: "{{{{ ds.meta_data.name }}}}"
      kubeletExtraArgs:
      - name: provider-id
        value: "verda:///r/{{{{ ds.meta_data.availability_zone }}}}/{{{{ v1.instance_id }}}}"
    ---
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: ClusterConfiguration
    kubernetesVersion: VERSION
    ---
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: nftables
    conntrack: {{maxPerCore: 0}}
runcmd:
- "kubeadm init --config /run/kubeadm/kubeadm.yaml > /root/init.log 2>&1; echo $? > /root/status"
- "mv /root/status /root/done"
"""


@pytest.fixture(scope="module")
def assets() -> Assets:
    return ensure_assets(CACHE, terminal_progress())


@pytest.fixture(scope="module")
def image(assets: Assets) -> NodeImage:
    return ensure_image(CACHE, assets.release, terminal_progress())


@dataclass(frozen=True)
class Server:
    """A system container of the test's own, in a network namespace with one address."""

    name: str
    uuid: str
    disk: Path
    lxc: Path

    def in_namespace(self, *command: str) -> str:
        entered = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        return subprocess.run(entered, check=True, capture_output=True, text=True).stdout

    def run(self, *command: str) -> str:
        path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        where = ["-P", str(self.lxc), "-n", self.name]
        return self.in_namespace("lxc-attach", *where, "--clear-env", "-v", path, "--", *command)

    def kubectl(self, *arguments: str) -> str:
        return self.run("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *arguments)


@pytest.fixture(scope="module")
def server(image: NodeImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name, pool = f"vksimg-{os.getpid()}", Pool(CACHE)
    lxc = tmp_path_factory.mktemp("lxc")
    server = Server(name, str(uuid.uuid4()), pool.instance(name) / "cp1", lxc)
    pool.claim(name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        # kubeadm and kubelet want a default route; nobody needs to answer there.
        for command in (
            "link set lo up",
            "link add eth0 type veth peer name far",
            "link set far up",
            f"addr add {ADDRESS}/24 dev eth0",
            "link set eth0 up",
            "route add default via 10.61.77.1",
        ):
            subprocess.run(["ip", "-n", name, *command.split()], check=True)
        pool.snapshot(image.path, server.disk)
        write_config_drive(server, image)
        write_lxc_configuration(server)
        server.in_namespace("lxc-start", "-P", str(lxc), "-n", name, "-d")
        wait_for(server.disk / "root" / "done")
        yield server
    finally:
        stop = ["nsenter", f"--net=/run/netns/{name}", "lxc-stop", "-P", str(lxc), "-n", name]
        subprocess.run([*stop, "-k"], capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=True)
        pool.release(name)
        pool.unmount_if_unused()


def write_config_drive(server: Server, image: NodeImage) -> None:
    drive = server.disk / "var/lib/cloud/seed/config_drive/openstack/latest"
    drive.mkdir(parents=True)
    metadata = {
        "uuid": server.uuid,
        "name": "cp1",
        "hostname": "cp1",
        "availability_zone": "tokyo-1",
    }
    (drive / "meta_data.json").write_text(json.dumps(metadata))
    (drive / "user_data").write_text(USER_DATA.replace("VERSION", image.kubernetes_version))


def write_lxc_configuration(server: Server) -> None:
    directory = server.lxc / server.name
    directory.mkdir()
    (directory / "config").write_text(
        f"""lxc.uts.name = cp1
lxc.rootfs.path = dir:{server.disk}
lxc.namespace.share.net = /run/netns/{server.name}
lxc.apparmor.profile = unconfined
lxc.cap.drop =
lxc.mount.auto = proc:rw sys:rw cgroup:rw:force
lxc.cgroup.devices.allow = a
lxc.mount.entry = /dev/kmsg dev/kmsg none bind,optional,create=file
lxc.autodev = 1
lxc.tty.max = 0
"""
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear in {BOOT_SECONDS} s"
        time.sleep(0.2)


def test_kubeadm_makes_a_control_plane_of_a_fresh_server(server: Server) -> None:
    log = (server.disk / "root" / "init.log").read_text()
    assert (server.disk / "root" / "done").read_text() == "0\n", log[-3000:]


def test_no_unit_failed_at_boot(server: Server) -> None:
    assert server.run("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_cloud_init_knew_the_server_from_its_config_drive(server: Server, image: NodeImage) -> None:
    node = json.loads(server.kubectl("get", "node", "cp1", "-o", "json"))
    assert node["spec"]["providerID"] == f"verda:///r/tokyo-1/{server.uuid}"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == image.kubernetes_version
    assert server.run("hostname").strip() == "cp1"


def test_nobody_listens_for_ssh_without_a_key(server: Server) -> None:
    assert server.run("systemctl", "show", "ssh", "-p", "ActiveState", "-p", "LoadState") == (
        "LoadState=loaded\nActiveState=inactive\n"
    )
    assert ":22 " not in server.run("ss", "--listening", "--tcp", "--numeric")


def test_a_server_makes_a_host_key_of_its_own(server: Server, image: NodeImage) -> None:
    names = {path.name for path in (server.disk / "etc/ssh").glob("ssh_host_*")}
    assert names == {"ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"}
    assert [*(image.path / "etc/ssh").glob("ssh_host_*")] == []


def test_user_scripts_start_soon_after_the_server(server: Server) -> None:
    boot = server.run("systemctl", "show", "-p", "UserspaceTimestampMonotonic", "--value")
    stage = server.run(
        "systemctl", "show", "cloud-final", "-p", "ExecMainStartTimestampMonotonic", "--value"
    )
    # About 2 s on an idle machine; the limit only says that nothing waits for a timeout.
    assert (int(stage) - int(boot)) / 1e6 < 20


def test_every_image_that_kubeadm_needs_is_there(server: Server, assets: Assets) -> None:
    present = set(server.run("ctr", "-n", "k8s.io", "images", "ls", "-q").split())
    wanted = {*assets.container_images}
    wanted |= {f"registry.vks.verda/vks/{name}:v1" for name in ("cni", "toolbox", "hello")}
    assert wanted <= present


def test_kube_proxy_programs_services_by_nftables(server: Server) -> None:
    server.kubectl(
        "-n",
        "kube-system",
        "wait",
        "--for=create",
        "--timeout=60s",
        "pod",
        "-l",
        "k8s-app=kube-proxy",
    )
    server.kubectl("-n", "kube-system", "rollout", "status", "ds/kube-proxy", "--timeout=60s")
    deadline = time.monotonic() + 30
    while "10.96.0.1" not in (rules := server.run("nft", "list", "ruleset")):
        assert time.monotonic() < deadline, rules[-2000:]
        time.sleep(0.2)
