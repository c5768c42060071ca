"""The control plane: three plain services with flags, and what they read."""

from __future__ import annotations

from vks.legacy.plan.etcd import URL as ETCD
from vks.legacy.plan.etcd import client
from vks.legacy.plan.facts import ClusterFacts, NodeFacts
from vks.legacy.plan.kubeconfigs import kubeconfig
from vks.legacy.plan.model import Endpoint, File, Probe, Service
from vks.legacy.plan.units import (
    BIN,
    CA,
    CONFIG,
    PROXY,
    certificate,
    kubeconfig_path,
    private_key,
    service,
    switch,
)
from vks.resources import encryption

API_PORT = 6443
API = f"https://127.0.0.1:{API_PORT}"
#: Not what kubeadm would choose; tokens that name it must stay valid for ever.
ISSUER = "vks-legacy"
#: Nobody uses it any more when it is asked to end; open watches would hold it for a minute.
_STOP_SECONDS = 15

_REQUESTHEADER_CA = certificate("kube-requestheader-ca")
_SERVICE_ACCOUNT_KEY = private_key("kube-service-account-token")
_ENCRYPTION = f"{CONFIG}/encryption.yaml"
_KUBECONFIG_USERS = ("kube-controller-manager", "kube-scheduler")


def control_plane_files(cluster: ClusterFacts, node: NodeFacts) -> list[File]:
    """The authorities' keys, encryption at rest, and the components' credentials."""
    at_rest = encryption.configuration(cluster.encryption_key)
    return [
        File(path=private_key("kube-ca"), content=cluster.authority.key, mode=0o600),
        File(path=_REQUESTHEADER_CA, content=cluster.requestheader_authority.certificate),
        File(path=_SERVICE_ACCOUNT_KEY, content=cluster.service_account_key, mode=0o600),
        File(path=_ENCRYPTION, content=at_rest, mode=0o600),
        *(
            File(
                path=kubeconfig_path(user),
                content=kubeconfig(
                    cluster.name, PROXY, cluster.authority.certificate, node.certificates[user]
                ),
                mode=0o600,
            )
            for user in _KUBECONFIG_USERS
        ),
    ]


def control_plane_services(cluster: ClusterFacts, node: NodeFacts) -> list[Service]:
    services = [_apiserver(cluster, node), _controller_manager(cluster, node), _scheduler()]
    if node.preparation.detour is not None:
        services.insert(0, _detour(node.address, node.preparation.detour))
    return services


def control_plane_probes() -> list[Probe]:
    """Controller manager and scheduler serve loopback with certificates of their own making, and
    anybody may ask for their health."""
    return [
        Probe(name="kube-apiserver", url=f"{API}/readyz", **_admin()),
        Probe(name="kube-controller-manager", url="https://127.0.0.1:10257/healthz"),
        Probe(name="kube-scheduler", url="https://127.0.0.1:10259/healthz"),
    ]


def api_endpoint() -> Endpoint:
    return Endpoint(url=API, **_admin())


def _admin() -> dict[str, str]:
    return {"ca": CA, "cert": certificate("kube-admin"), "key": private_key("kube-admin")}


def _apiserver(cluster: ClusterFacts, node: NodeFacts) -> Service:
    etcd = client()
    files = [
        CA,
        _REQUESTHEADER_CA,
        _SERVICE_ACCOUNT_KEY,
        _ENCRYPTION,
        etcd["cert"],
        etcd["key"],
        *_pair("kube-apiserver"),
        *_pair("kube-apiserver-kubelet"),
        *_pair("kube-apiserver-proxy-client"),
    ]
    flags = [
        f"--advertise-address={node.address}",
        f"--secure-port={API_PORT}",
        f"--anonymous-auth={'true' if node.preparation.kubeadm else 'false'}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={cluster.service_cidr}",
        f"--etcd-servers={ETCD}",
        f"--etcd-cafile={etcd['ca']}",
        f"--etcd-certfile={etcd['cert']}",
        f"--etcd-keyfile={etcd['key']}",
        f"--client-ca-file={CA}",
        f"--tls-cert-file={certificate('kube-apiserver')}",
        f"--tls-private-key-file={private_key('kube-apiserver')}",
        f"--kubelet-client-certificate={certificate('kube-apiserver-kubelet')}",
        f"--kubelet-client-key={private_key('kube-apiserver-kubelet')}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--requestheader-client-ca-file={_REQUESTHEADER_CA}",
        "--requestheader-allowed-names=kube-apiserver-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={certificate('kube-apiserver-proxy-client')}",
        f"--proxy-client-key-file={private_key('kube-apiserver-proxy-client')}",
        f"--service-account-issuer={ISSUER}",
        f"--api-audiences={ISSUER}",
        f"--service-account-key-file={_SERVICE_ACCOUNT_KEY}",
        f"--service-account-signing-key-file={_SERVICE_ACCOUNT_KEY}",
        f"--encryption-provider-config={_ENCRYPTION}",
    ]
    if node.preparation.kubeadm:
        flags.append("--enable-bootstrap-token-auth=true")
    # Kept on the way back, as the names are: systemd stops a service as its new unit says.
    stop = _STOP_SECONDS if node.preparation.server_names else None
    return service("kube-apiserver", f"{BIN}/kube-apiserver", flags, files, stop_seconds=stop)


def _detour(address: str, other: str) -> Service:
    """New connections to this node's API server are answered by another one; those that are open
    stay where they are. What comes from the node itself is not turned away."""
    into = f"PREROUTING --protocol tcp --destination {address} --dport {API_PORT}"
    onward = f"POSTROUTING --match conntrack --ctorigdst {address} --ctorigdstport {API_PORT}"
    rules = (
        f"{into} --jump DNAT --to-destination {other}:{API_PORT}",
        f"{onward} --protocol tcp --jump MASQUERADE",
    )
    command = "/usr/sbin/iptables --wait --table nat"
    return switch(
        "api-detour",
        on=[f"{command} --insert {rule}" for rule in reversed(rules)],
        off=[f"{command} --delete {rule}" for rule in rules],
    )


def _controller_manager(cluster: ClusterFacts, node: NodeFacts) -> Service:
    config = kubeconfig_path("kube-controller-manager")
    flags = [
        *_credentials(config),
        "--bind-address=127.0.0.1",
        "--leader-elect=true",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={cluster.pod_cidr}",
        f"--service-cluster-ip-range={cluster.service_cidr}",
        f"--root-ca-file={CA}",
        f"--service-account-private-key-file={_SERVICE_ACCOUNT_KEY}",
        "--use-service-account-credentials=true",
    ]
    files = [config, CA, _SERVICE_ACCOUNT_KEY]
    if node.preparation.kubeadm:
        flags += [
            "--controllers=*,bootstrapsigner,tokencleaner",
            f"--cluster-signing-cert-file={CA}",
            f"--cluster-signing-key-file={private_key('kube-ca')}",
        ]
        files.append(private_key("kube-ca"))
    return service("kube-controller-manager", f"{BIN}/kube-controller-manager", flags, files)


def _scheduler() -> Service:
    config = kubeconfig_path("kube-scheduler")
    flags = [*_credentials(config), "--bind-address=127.0.0.1", "--leader-elect=true"]
    return service("kube-scheduler", f"{BIN}/kube-scheduler", flags, [config])


def _credentials(config: str) -> list[str]:
    kinds = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [f"--{kind}={config}" for kind in kinds]


def _pair(name: str) -> tuple[str, str]:
    return certificate(name), private_key(name)
