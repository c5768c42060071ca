"""Where an API server is and how to prove who we are: kubeconfig, in-cluster, or by hand.

Exec plugins are left out on purpose: controllers get files or bytes, never a program to run.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(ValueError):
    """The kubeconfig cannot be used; the message names the part."""


@dataclass(frozen=True)
class ClientConfig:
    """Everything that a `Client` needs. Key material stays out of repr and of log lines."""

    server: str
    ca_data: bytes = field(default=b"", repr=False)
    client_cert_data: bytes = field(default=b"", repr=False)
    client_key_data: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    #: Read again every minute: kubelets rotate projected service account tokens.
    token_file: Path | None = None
    proxy_url: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    namespace: str = "default"

    @classmethod
    def from_kubeconfig(
        cls, source: str | Path | bytes | Mapping[str, Any], context: str | None = None
    ) -> ClientConfig:
        """From a kubeconfig's path, its bytes (as in a Secret), or the parsed document.

        Raises KubeconfigError for a part that is missing or not supported, OSError for a
        file that cannot be read.
        """
        base = Path.cwd()
        if isinstance(source, str | Path):
            base = Path(source).parent
            source = Path(source).read_bytes()
        document = _parse(source) if isinstance(source, bytes) else source
        name = context or document.get("current-context") or ""
        chosen = _named(document, "contexts", name, "context")
        cluster = _named(document, "clusters", chosen.get("cluster", ""), "cluster")
        user = _named(document, "users", chosen.get("user", ""), "user")
        if "exec" in user or "auth-provider" in user:
            raise KubeconfigError("exec and auth-provider users are not supported")
        if not cluster.get("server"):
            raise KubeconfigError("the cluster has no server")
        token_file = user.get("tokenFile")
        return cls(
            server=str(cluster["server"]).rstrip("/"),
            ca_data=_material(cluster, "certificate-authority", base),
            client_cert_data=_material(user, "client-certificate", base),
            client_key_data=_material(user, "client-key", base),
            token=str(user.get("token", "")),
            token_file=base / token_file if token_file else None,
            proxy_url=str(cluster.get("proxy-url", "")),
            tls_server_name=str(cluster.get("tls-server-name", "")),
            insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify", False)),
            namespace=str(chosen.get("namespace", "default")),
        )

    @classmethod
    def in_cluster(cls, directory: Path = _SERVICE_ACCOUNT) -> ClientConfig:
        """From the service account that the kubelet mounts. Raises OSError outside a pod."""
        return cls(
            server="https://kubernetes.default.svc",
            ca_data=(directory / "ca.crt").read_bytes(),
            token_file=directory / "token",
            namespace=(directory / "namespace").read_text().strip(),
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS set-up, or None for plain HTTP. Blocks for some milliseconds."""
        if not self.server.startswith("https://"):
            return None
        if self.insecure_skip_tls_verify:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            cadata = self.ca_data.decode("ascii") if self.ca_data else None
            context = ssl.create_default_context(cadata=cadata)
            # Go's crypto/tls does not ask for the key-usage extensions that 3.13 made strict.
            context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
        if self.client_cert_data:
            self._load_client_certificate(context)
        return context

    def _load_client_certificate(self, context: ssl.SSLContext) -> None:
        # OpenSSL's binding takes a file only; the directory is private and gone right after.
        with tempfile.TemporaryDirectory(prefix="kube-") as directory:
            path = Path(directory, "client.pem")
            path.touch(mode=0o600)
            path.write_bytes(self.client_cert_data + b"\n" + self.client_key_data)
            context.load_cert_chain(path)


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"not YAML: {error}") from error
    if not isinstance(document, Mapping):
        raise KubeconfigError("not a mapping")
    return document


def _named(document: Mapping[str, Any], section: str, name: str, key: str) -> Mapping[str, Any]:
    for entry in document.get(section) or ():
        if entry.get("name") == name:
            value = entry.get(key) or {}
            if isinstance(value, Mapping):
                return value
    raise KubeconfigError(f"{section} has no entry {name!r}")


def _material(section: Mapping[str, Any], key: str, base: Path) -> bytes:
    if data := section.get(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=True)
        except ValueError as error:
            raise KubeconfigError(f"{key}-data is not base64") from error
    if path := section.get(key):
        return Path(base, str(path)).read_bytes()
    return b""
