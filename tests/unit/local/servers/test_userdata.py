"""What hollow servers read out of user data, as Cluster API's bootstrap provider writes it."""

from __future__ import annotations

import gzip

import pytest
import yaml

from vks.kube.objects import ObjectMeta
from vks.local.servers.hollow.userdata import UserDataError, bootstrap_of
from vks.provider.userscript import read_report, summary
from vks.resources.core import Node

META = {"name": "demo-cp-abc", "uuid": "0b0d1a52", "availability_zone": "tokyo-2"}
REGISTRATION = {
    "name": "{{ds.meta_data.name}}",
    "kubeletExtraArgs": [
        {"name": "cloud-provider", "value": "external"},
        {
            "name": "provider-id",
            "value": "verda:///tokyo/{{ds.meta_data.availability_zone}}/{{ds.meta_data.uuid}}",
        },
    ],
}
CLUSTER: dict[str, object] = {
    "kind": "ClusterConfiguration",
    "controlPlaneEndpoint": "127.29.19.2:6443",
    "networking": {"podSubnet": "10.244.0.0/16"},
}


def user_data(files: dict[str, str], *commands: str, template: bool = True) -> bytes:
    config = {
        "write_files": [{"path": path, "content": text} for path, text in files.items()],
        "runcmd": list(commands),
    }
    header = "## template: jinja\n" if template else ""
    return f"{header}#cloud-config\n{yaml.safe_dump(config, width=10**6)}".encode()


def documents(*docs: dict[str, object]) -> str:
    return yaml.safe_dump_all(docs, explicit_start=True, width=10**6)


def joining(**changes: object) -> bytes:
    join = {
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": "127.29.19.2:6443",
                "token": "abcdef.0123456789abcdef",
                "caCertHashes": ["sha256:77"],
            }
        },
        "nodeRegistration": REGISTRATION,
        **changes,
    }
    return user_data(
        {"/run/kubeadm/kubeadm-join-config.yaml": documents(join)},
        "kubeadm join --config /run/kubeadm/kubeadm-join-config.yaml",
    )


def test_the_first_control_plane_makes_the_cluster() -> None:
    init: dict[str, object] = {"kind": "InitConfiguration", "nodeRegistration": REGISTRATION}
    found = bootstrap_of(
        user_data(
            {
                "/etc/kubernetes/pki/ca.crt": "a certificate",
                "/etc/motd": "hello",
                "/run/kubeadm/kubeadm.yaml": documents(CLUSTER, init),
            },
            "kubeadm init --config /run/kubeadm/kubeadm.yaml && echo success",
        ),
        META,
    )
    assert found is not None
    assert found["role"] == "init"
    assert found["nodeName"] == "demo-cp-abc"
    assert found["providerID"] == "verda:///tokyo/tokyo-2/0b0d1a52"
    assert found["endpoint"] == "127.29.19.2:6443"
    assert found["podSubnet"] == "10.244.0.0/16"
    assert found["files"] == {"/etc/kubernetes/pki/ca.crt": "a certificate"}
    assert yaml.safe_load(found["clusterConfiguration"]) == CLUSTER


def test_an_external_cloud_provider_taints_and_so_does_the_control_plane_role() -> None:
    found = bootstrap_of(joining(controlPlane={}), META)
    assert found is not None
    assert found["role"] == "control-plane"
    assert [taint["key"] for taint in found["taints"]] == [
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node-role.kubernetes.io/control-plane",
    ]


def test_a_worker_joins_with_its_token_and_the_taints_that_it_was_given() -> None:
    taint = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}
    registration = {"name": "w-1", "taints": [taint], "kubeletExtraArgs": {"node-labels": "a=b"}}
    found = bootstrap_of(joining(nodeRegistration=registration), META)
    assert found is not None
    assert found["role"] == "worker"
    assert (found["token"], found["caCertHashes"]) == ("abcdef.0123456789abcdef", ["sha256:77"])
    assert found["taints"] == [taint]
    assert found["labels"] == {"a": "b"}
    assert found["files"] == found["annotations"] == {}


def test_a_node_reports_that_its_user_script_did_not_run() -> None:
    configuration = yaml.safe_load(joining().partition(b"\n")[2])
    files = {file["path"]: file["content"] for file in configuration["write_files"]}
    files["/var/lib/vks/user-script/post.gz"] = "packed"
    found = bootstrap_of(user_data(files, "kubeadm join"), META)
    assert found is not None
    report = read_report(Node(metadata=ObjectMeta(annotations=found["annotations"])))
    assert report is not None
    assert (report.complete, report.pre, report.failed) == (True, None, True)
    assert "runs no script" in summary(report)


def test_packed_user_data_is_unpacked() -> None:
    found = bootstrap_of(gzip.compress(joining()), META)
    assert found is not None
    assert found["role"] == "worker"


def test_registered_taints_and_labels_are_read_as_kubelet_reads_them() -> None:
    arguments = {"register-with-taints": "gpu=yes:NoExecute,dedicated=:NoSchedule"}
    found = bootstrap_of(
        joining(nodeRegistration={"name": "w", "kubeletExtraArgs": arguments}), META
    )
    assert found is not None
    assert found["taints"] == [
        {"key": "gpu", "value": "yes", "effect": "NoExecute"},
        {"key": "dedicated", "value": "", "effect": "NoSchedule"},
    ]


@pytest.mark.parametrize(
    "data",
    [b"#!/bin/sh\necho hello\n", b"#cloud-config\nruncmd: [echo hello]\n", user_data({}, "true")],
)
def test_a_server_that_is_no_node_boots_and_stays_alone(data: bytes) -> None:
    assert bootstrap_of(data, META) is None


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"#cloud-config\n\t{", "not a cloud-config"),
        (b"## template: jinja\n#cloud-config\n{{ds.", "not a cloud-config"),
        (b"## template: jinja\n#cloud-config\na: {{''.__class__.mro()}}\n", "not a cloud-config"),
        (b"\xff\xfe", "not a cloud-config"),
        (b"\x1f\x8bnot gzip", "not a cloud-config"),
        (joining(discovery={"file": {}}), "no discovery by bootstrap token"),
    ],
)
def test_what_cloud_init_or_kubeadm_would_refuse_is_named(data: bytes, named: str) -> None:
    with pytest.raises(UserDataError, match=named):
        bootstrap_of(data, META)
