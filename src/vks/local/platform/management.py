"""The management plane's programs: etcd, kube-apiserver, kube-controller-manager, Cluster API.

Sources of the flags: reference documentation of Kubernetes and etcd, `--help` of Cluster API's
managers. What deviates from a default says why.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vks import resources
from vks.local.assets.model import Assets
from vks.local.fabric import SERVICES_ADDRESS
from vks.local.platform import files
from vks.local.platform.kubeconfigs import kubeconfig
from vks.local.platform.layout import Layout
from vks.local.platform.pki import Authority
from vks.local.platform.processes import HttpProbe, Process
from vks.provider.components import config_directory

#: Users of the management cluster, one per component (see `vks.local.platform.rbac`).
ADMIN_GROUP = "system:masters"
CONTROLLER_MANAGER_USER = "system:kube-controller-manager"
COMPONENT_USERS = {
    "kube-controller-manager": CONTROLLER_MANAGER_USER,
    "capi-core": "vks:capi-core",
    "capi-kubeadm-bootstrap": "vks:capi-kubeadm-bootstrap",
    "capi-kubeadm-control-plane": "vks:capi-kubeadm-control-plane",
    "provider": "vks:provider",
    "controllers": "vks:controllers",
    "api": "vks:api",
    "legacy": "vks:legacy",
    "migration": "vks:migration",
}

#: kube-controller-manager runs these only: the management cluster has no nodes of its own.
CONTROLLERS = ("garbage-collector-controller", "namespace-controller")


class Manager(NamedTuple):
    """One upstream Cluster API manager, and its directory in the module."""

    program: str
    module: str

    def manifests(self, assets: Assets) -> tuple[Path, ...]:
        """Upstream's definitions, webhook configurations and role."""
        rendered = assets.manifests / self.program.removeprefix("capi-")
        role = assets.cluster_api_module / self.module / "config/rbac/role.yaml"
        return rendered / "crds.yaml", rendered / "webhooks.yaml", role


MANAGERS = (
    Manager("capi-core", "core"),
    Manager("capi-kubeadm-bootstrap", "bootstrap/kubeadm"),
    Manager("capi-kubeadm-control-plane", "controlplane/kubeadm"),
)


#: Of Go programs where there may be thousands of machines (hollow servers): collecting garbage at
#: five times what is in use instead of twice, up to a limit, takes a quarter off the API server's
#: CPU and a fifth off the managers', and costs 1.5 GiB.
FEWER_COLLECTIONS = {"GOGC": "400", "GOMEMLIMIT": "3GiB"}
#: The API server there works on so many requests at a time (600 by default) and lets the others
#: wait in fair queues, one for each client: upstream's managers have hundreds under way, and on two
#: cores everybody's requests took as long as theirs.
FEWER_AT_ONCE = ("--max-requests-inflight=20", "--max-mutating-requests-inflight=10")

#: The one-shot that installs what the managers need.
MANIFESTS = "manifests"


def prepare(layout: Layout, server: str) -> Authority:
    """Writes certificates and kubeconfigs that do not exist yet; quick when they do."""
    authority = Authority(layout.pki)
    authority.server("serving")
    authority.server("legacy-hub", SERVICES_ADDRESS)
    authority.signing_key("service-accounts")
    admin = authority.client("admin", "vks:admin", (ADMIN_GROUP,))
    name = f"vks-{layout.instance.name}-management"
    content = kubeconfig(name, server, authority.pair.certificate, admin)
    files.write(layout.management_kubeconfig, content)
    for component, user in COMPONENT_USERS.items():
        pair = authority.client(component, user)
        content = kubeconfig(component, server, authority.pair.certificate, pair)
        files.write(layout.component_kubeconfig(component), content)
    _serving_directory(layout, authority)
    return authority


def _serving_directory(layout: Layout, authority: Authority) -> None:
    """Webhook servers want a directory that holds `tls.crt` and `tls.key`."""
    serving = authority.server("serving")
    for source, name in ((serving.certificate, "tls.crt"), (serving.key, "tls.key")):
        files.write(layout.pki / "webhooks" / name, source.read_bytes())


def processes(layout: Layout, assets: Assets, port: int, env: dict[str, str]) -> Iterable[Process]:
    """The management plane, listening on 127.0.0.1 of the fabric; the API server on `port`."""
    inner = layout.inner_ports()
    programs, authority = assets.bin, layout.pki / "ca.crt"
    inputs = files.digest([*layout.pki.glob("*.crt"), *layout.pki.glob("*.pub")])
    netns = layout.netns
    go = {**env, **FEWER_COLLECTIONS} if layout.has_hollow else env
    program = partial(Process, env=go, netns=netns, inputs=inputs)
    yield program(
        name="etcd",
        argv=_etcd(programs, layout.etcd, inner),
        probe=HttpProbe(port=inner["etcd"], path="/readyz"),
    )
    yield program(
        name="kube-apiserver",
        argv=(
            *_apiserver(programs, layout.pki, port, inner["etcd"]),
            *(FEWER_AT_ONCE if layout.has_hollow else ()),
        ),
        probe=HttpProbe(port=port, path="/readyz", tls=True, ca_file=str(authority)),
        depends_on=("etcd",),
        stop_seconds=15.0,
    )
    yield Process(
        name=MANIFESTS,
        argv=_manifests(layout, assets, inner),
        env=env,
        netns=netns,
        inputs=_manifests_digest(assets),
        depends_on=("kube-apiserver",),
        one_shot=True,
    )
    yield program(
        name="kube-controller-manager",
        argv=_controller_manager(programs, layout, inner),
        probe=HttpProbe(
            port=inner["kube-controller-manager"],
            path="/healthz",
            tls=True,
            ca_file=str(authority),
        ),
        depends_on=(MANIFESTS,),
    )
    for manager in MANAGERS:
        yield program(
            name=manager.program,
            argv=_cluster_api(programs, layout, manager, inner),
            probe=HttpProbe(port=inner[f"{manager.program}-health"], path="/readyz"),
            depends_on=(MANIFESTS,),
        )


def _manifests(layout: Layout, assets: Assets, inner: Mapping[str, int]) -> tuple[str, ...]:
    return (
        sys.executable,
        "-m",
        "vks.local.platform.manifests",
        f"--kubeconfig={layout.management_kubeconfig}",
        f"--authority={layout.pki / 'ca.crt'}",
        *(
            f"--manager={manager.program}:{inner[f'{manager.program}-webhook']}:{path}"
            for manager in MANAGERS
            for path in manager.manifests(assets)
        ),
    )


def _manifests_digest(assets: Assets) -> str:
    """Upstream's files, ours (models make CRDs too) and the code that installs both."""
    upstream = [path for manager in MANAGERS for path in manager.manifests(assets)]
    ours = [
        *config_directory().rglob("*.yaml"),
        *Path(resources.__file__).parent.glob("*.py"),
        *Path(__file__).parent.glob("*.py"),
    ]
    return files.digest([*upstream, *ours])


def _etcd(programs: Path, data: Path, inner: Mapping[str, int]) -> tuple[str, ...]:
    client = f"http://127.0.0.1:{inner['etcd']}"
    peer = f"http://127.0.0.1:{inner['etcd-peer']}"
    return (
        str(programs / "etcd"),
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # The region does not outlive a crash of its machine; of a process it does.
        "--unsafe-no-fsync",
        # 2 GiB by default: replacing a thousand machines writes more than that in the time for
        # which history is kept. More than 8 GiB etcd advises against.
        f"--quota-backend-bytes={8 * 2**30}",
        "--auto-compaction-mode=periodic",
        "--auto-compaction-retention=15m",
        "--log-level=warn",
    )


def _apiserver(programs: Path, pki: Path, port: int, etcd: int) -> tuple[str, ...]:
    return (
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        # Without a default route it finds no address by itself; nothing reads this one,
        # because endpoints are not reconciled: the cluster has no pods.
        "--advertise-address=10.60.0.1",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki / 'serving.crt'}",
        f"--tls-private-key-file={pki / 'serving.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--service-account-issuer=https://127.0.0.1:{port}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
    )


def _controller_manager(
    programs: Path, layout: Layout, inner: Mapping[str, int]
) -> tuple[str, ...]:
    config = layout.component_kubeconfig("kube-controller-manager")
    return (
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={config}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={inner['kube-controller-manager']}",
        f"--tls-cert-file={layout.pki / 'serving.crt'}",
        f"--tls-private-key-file={layout.pki / 'serving.key'}",
        "--profiling=false",
    )


def _cluster_api(
    programs: Path, layout: Layout, manager: Manager, inner: Mapping[str, int]
) -> tuple[str, ...]:
    health = inner[f"{manager.program}-health"]
    diagnostics = inner[f"{manager.program}-diagnostics"]
    return (
        str(programs / manager.program),
        f"--kubeconfig={layout.component_kubeconfig(manager.program)}",
        # Upstream has no option for its address: without a fabric it listens on all of them.
        f"--webhook-port={inner[f'{manager.program}-webhook']}",
        f"--webhook-cert-dir={layout.pki / 'webhooks'}",
        f"--health-addr=127.0.0.1:{health}",
        f"--diagnostics-address=127.0.0.1:{diagnostics}",
        "--insecure-diagnostics",  # plain HTTP on the fabric's loopback
    )
