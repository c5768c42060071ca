"""User scripts through upstream's bootstrap provider: what it writes, read as cloud-init reads it.

The program is the one that runs in production. Its discovery is answered beforehand, so that it
needs no workload cluster; everything else of it runs as it is.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from tests.apiserver.service.conftest import Vks
from tests.support.apiserver import ApiServer, free_port, programs
from tests.support.service import cluster_request, until
from tests.unit.service.builders import managed_cluster, node_pool

from vks.kube.client import Client
from vks.kube.objects import Resource
from vks.resources.clusterapi import Cluster, KubeadmConfigTemplate, Machine
from vks.resources.core import Secret
from vks.resources.fields import MAX_SSH_KEY
from vks.resources.nodepool import UserScriptSpec
from vks.service.provisioners.capi import userscript
from vks.service.provisioners.capi.bootstrap import worker_config
from vks.verda.compute import encode_user_data

CONFIGS = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")
CLUSTER_API = "cluster.x-k8s.io/v1beta2"
DISCOVERY = {
    "apiServerEndpoint": "10.60.0.5:6443",
    "token": "abcdef.0123456789abcdef",
    "caCertHashes": ["sha256:" + "0" * 64],
}
#: What cloud-init knows of a server that was made by Nova.
DS = {
    "meta_data": {
        "name": "demo-default-tokyo-1-abcde-fghij",
        "uuid": "6f1fa1a8-8d02-4b26-9f0e-0a3f5a1f3c11",
        "availability_zone": "tokyo-1",
    }
}


KEY = f"ssh-rsa {'A' * (MAX_SSH_KEY - len('ssh-rsa '))}"


def _noise(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz\n{}%#'\" ", k=length))


SCRIPTS = {
    "quotes": "echo 'it''s' \"$(x)\" `y` \\\n  | tee \\\\\n",
    "heredoc": "cat <<'EOF'\n{{ ds.meta_data.uuid }} {% if x %}{# no #}\nEOF\n",
    "cloud-config": "## template: jinja\n#cloud-config\nruncmd: [[reboot]]\n",
    "yaml": "---\n- a: &b *b\n!!python/object:x {}\n...\n# tab\there\n",
    "mime": "--===BOUNDARY==\nContent-Type: text/x-shellscript\n\n",
    "unicode": "#!/bin/sh\necho '日本語 🚀 \u2028\u2029\x85\ufeff'\r\n",
    "control": "".join(map(chr, range(1, 32))) + "\x7f",
    "blanks": "\n\n   \n\t\n  leading and trailing  \n\n\n",
    "no-newline": "true",
    "go-template": "{{ .Values }} {{- range . }} {{ end }}",
    "shell-60k": "echo this line is like the others, 'quoted' and {{ not rendered }}\n" * 900,
    "noise-30k": _noise(7, 30_000),
}


@pytest.fixture(scope="module")
def provider(
    with_crds: None, apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Upstream's bootstrap provider; yields its log."""
    directory = tmp_path_factory.mktemp("bootstrap-provider")
    (directory / "kubeconfig").write_bytes(apiserver.kubeconfig)
    for ours, theirs in (("server_cert", "tls.crt"), ("server_key", "tls.key")):
        (directory / theirs).write_bytes(getattr(apiserver.pki, ours).read_bytes())
    log = directory / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", str(programs() / "capi-kubeadm-bootstrap")),
                f"--kubeconfig={directory / 'kubeconfig'}",
                f"--webhook-port={free_port()}",
                f"--webhook-cert-dir={directory}",
                f"--health-addr=127.0.0.1:{free_port()}",
                "--diagnostics-address=0",
                "--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields",
            ],
            stdout=file,
            stderr=file,
        )
    try:
        yield log
    finally:
        process.kill()
        process.wait()


async def test_the_rest_api_passes_scripts_on_as_they_are(vks: Vks) -> None:
    pools = [
        {"name": f"p-{name}", "replicas": 0, "flavor": "small", "userScript": {"pre": text}}
        for name, text in SCRIPTS.items()
    ]
    answer = await vks.call("POST", "/clusters", cluster_request(nodePools=pools))
    assert answer.status_code == 202, answer.text

    async def templates() -> dict[str, bytes]:
        found = await vks.client.list(KubeadmConfigTemplate.resource, vks.namespace)
        made = {
            template["metadata"]["labels"]["vks.verda/pool"]: file_of_template(template)
            for template in found.items
        }
        return made if len(made) == len(SCRIPTS) else {}

    arrived = await until(templates)
    assert arrived == {f"p-{name}": text.encode() for name, text in SCRIPTS.items()}


def file_of_template(template: dict[str, Any]) -> bytes:
    return script_of(template["spec"]["template"]["spec"]["files"], "pre")


def script_of(files: list[dict[str, Any]], phase: str) -> bytes:
    """What cloud-init writes for it, unpacked as on the node."""
    packed = b""
    for file in files:
        if file["path"] == f"/var/lib/vks/user-script/{phase}.gz":
            assert file["encoding"] == "base64"
            assert file.get("append", False) is bool(packed)
            packed += base64.b64decode(file["content"])
    return gzip.decompress(packed)


async def cluster(client: Client, namespace: str, apiserver: ApiServer) -> None:
    """A Cluster whose control plane is there, as far as the provider looks."""
    body = {
        "metadata": {"name": "demo", "namespace": namespace},
        "spec": {
            "controlPlaneEndpoint": {"host": "10.60.0.5", "port": 6443},
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io",
                "kind": "VerdaCluster",
                "name": "demo",
            },
        },
    }
    await client.create(Cluster, body)
    initialized = {
        "type": "ControlPlaneInitialized",
        "status": "True",
        "reason": "Initialized",
        "message": "",
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }
    status = {
        "initialization": {"infrastructureProvisioned": True, "controlPlaneInitialized": True},
        "conditions": [initialized],
    }
    await client.merge_patch(Cluster, "demo", namespace, {"status": status}, subresource="status")
    authority = base64.b64encode(await asyncio.to_thread(apiserver.pki.ca.read_bytes)).decode()
    secret = {
        "metadata": {
            "name": "demo-ca",
            "namespace": namespace,
            "labels": {"cluster.x-k8s.io/cluster-name": "demo"},
        },
        "type": "cluster.x-k8s.io/secret",
        "data": {"tls.crt": authority, "tls.key": authority},
    }
    await client.create(Secret, secret)


async def user_data(client: Client, namespace: str, name: str, script: UserScriptSpec) -> bytes:
    """What the provider writes for a machine of a pool with that script and the longest key."""
    spec = worker_config(managed_cluster(), node_pool(user_script=script, ssh_public_key=KEY))
    spec["joinConfiguration"]["discovery"] = {"bootstrapToken": DISCOVERY}
    labels = {"cluster.x-k8s.io/cluster-name": "demo"}
    reference = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": name}
    machine = {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "clusterName": "demo",
            "version": "v1.36.3",
            "bootstrap": {"configRef": reference},
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io",
                "kind": "VerdaMachine",
                "name": name,
            },
        },
    }
    owner = await client.create(Machine, machine)
    owned_by = {"apiVersion": CLUSTER_API, "kind": "Machine", "name": name, "controller": True}
    config = {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [{**owned_by, "uid": owner.metadata.uid}],
        },
        "spec": spec,
    }
    await client.create(CONFIGS, config)

    async def made() -> str:
        found = await client.get(CONFIGS, name, namespace)
        return str(found.get("status", {}).get("dataSecretName", ""))

    secret = await client.get(Secret, await until(made, timeout=40), namespace)
    return base64.b64decode(secret.data["value"])


def as_cloud_init_reads_it(data: bytes) -> dict[str, Any]:
    """Rendered as jinja, parsed as YAML, files decoded (cc_write_files)."""
    header, _, body = data.decode().partition("\n")
    assert header == "## template: jinja"
    found: dict[str, Any] = yaml.safe_load(jinja2.Template(body).render(ds=DS))
    return found


def file_of(config: dict[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [file for file in config["write_files"] if file["path"] == path]
    return found


@pytest.mark.timeout(180)
async def test_the_bytes_that_arrive_are_the_bytes_that_were_sent(
    provider: Path, client: Client, namespace: str, apiserver: ApiServer
) -> None:
    await cluster(client, namespace, apiserver)
    for name, text in SCRIPTS.items():
        script = UserScriptSpec(pre=text, post=text[::-1], on_failure="FailNode")
        if userscript.room_left(script) < 0:
            script = UserScriptSpec(pre=text)
        assert userscript.room_left(script) >= 0, name
        data = await user_data(client, namespace, name, script)
        config = as_cloud_init_reads_it(data)
        for phase, sent in (("pre", script.pre), ("post", script.post)):
            if sent:
                assert script_of(config["write_files"], phase) == sent.encode(), name
        encode_user_data(data)  # as Nova takes it, unpacked
        kubeadm = len(data) - sum(map(userscript._size, userscript.files(script)))
        assert kubeadm < userscript.RESERVED, "more is reserved than is used"


async def test_the_script_runs_before_kubeadm_and_the_report_after_it(
    provider: Path, client: Client, namespace: str, apiserver: ApiServer
) -> None:
    await cluster(client, namespace, apiserver)
    script = UserScriptSpec(pre="true", on_failure="FailNode")
    config = as_cloud_init_reads_it(await user_data(client, namespace, "m", script))
    pre, join, post = config["runcmd"]
    assert pre == userscript.pre_commands()[0]
    assert join.startswith("kubeadm join --config /run/kubeadm/kubeadm-join-config.yaml")
    assert post == userscript.post_commands()[0]
    kubeadm = file_of(config, "/run/kubeadm/kubeadm-join-config.yaml")["content"]
    taints = yaml.safe_load(kubeadm)["nodeRegistration"]["taints"]
    assert userscript.PENDING.key in [taint["key"] for taint in taints]


async def test_whoever_has_the_key_may_log_in_and_become_root(
    provider: Path, client: Client, namespace: str, apiserver: ApiServer
) -> None:
    await cluster(client, namespace, apiserver)
    data = await user_data(client, namespace, "m", UserScriptSpec(pre="true"))
    assert as_cloud_init_reads_it(data)["users"] == [
        {
            "name": "vks",
            "shell": "/bin/bash",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "ssh_authorized_keys": [KEY],
        }
    ]
