"""Field types shared by the kinds, with the constraints that end up in the CRDs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from vks.kube.objects import KubeStruct

DnsLabel = Annotated[
    str, msgspec.Meta(pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63)
]
#: An id or a name in the cloud; Neutron and Nova bound both by 255 characters.
CloudName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
ZoneList = Annotated[tuple[CloudName, ...], msgspec.Meta(min_length=1, max_length=100)]
KubernetesVersion = Annotated[str, msgspec.Meta(pattern=r"^v1\.[0-9]+\.[0-9]+$", max_length=32)]
Cidr = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f.:]+/[0-9]{1,3}$", max_length=64)]
#: Dotted quad; whether it is one of a subnet's is checked where the subnet is known.
IPv4Text = Annotated[str, msgspec.Meta(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}$", max_length=15)]
Replicas = Annotated[int, msgspec.Meta(ge=0, le=1000)]
ControlPlaneReplicas = Annotated[int, msgspec.Meta(ge=1, le=7)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
#: GiB; 16 TiB is what common storage back ends make of one volume.
VolumeSize = Annotated[int, msgspec.Meta(ge=1, le=16_384)]

#: What OpenSSH accepts today: no DSA.
SSH_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
#: Characters of an RSA key of 8192 bits.
MAX_SSH_KEY = 1404
#: `TYPE BASE64`, as in a line of authorized_keys; no options and no comment, so that nothing in it
#: means anything to the YAML and the templates on its way into user data.
SshPublicKey = Annotated[
    str,
    msgspec.Meta(
        pattern=f"^({'|'.join(SSH_KEY_TYPES).replace('.', '[.]')}) [A-Za-z0-9+/]+={{0,2}}$",
        max_length=MAX_SSH_KEY,
    ),
]
#: Who logs in to a server with such a key, and may become root.
SSH_USER = "vks"
SSH_USER_SUDO = "ALL=(ALL) NOPASSWD:ALL"

ConditionList = msgspec.Meta(
    extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
)
NamedList = msgspec.Meta(
    extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
)


class LocalReference(KubeStruct, frozen=True, kw_only=True):
    """Names an object of a kind that the field fixes, in the same namespace."""

    name: str


class ContractReference(KubeStruct, frozen=True, kw_only=True):
    """Cluster API's ContractVersionedObjectReference: no version, no namespace."""

    api_group: str = ""
    kind: str = ""
    name: str = ""


class Endpoint(KubeStruct, frozen=True, kw_only=True):
    """Where a cluster's API server is reached."""

    host: str = ""
    port: int = 0

    @property
    def valid(self) -> bool:
        return bool(self.host) and self.port > 0


class Initialization(KubeStruct, frozen=True, kw_only=True):
    """`status.initialization` of an infrastructure object; `provisioned` never goes back."""

    provisioned: bool | None = None


class MachineAddress(KubeStruct, frozen=True, kw_only=True):
    type: Literal["Hostname", "InternalIP", "ExternalIP", "InternalDNS", "ExternalDNS"]
    address: str


class Taint(KubeStruct, frozen=True, kw_only=True):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=316)]
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: Annotated[str, msgspec.Meta(max_length=63)] = ""
