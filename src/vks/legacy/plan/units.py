"""Units of systemd, and paths on a node."""

from __future__ import annotations

from collections.abc import Iterable

from vks.legacy.plan.facts import KeyPair
from vks.legacy.plan.model import File, Program, Service
from vks.resources.legacycluster import API_PROXY_PORT

CONFIG = "/etc/vks-legacy"
SSL = f"{CONFIG}/ssl"
BIN = "/opt/vks-legacy/bin"
AGENT = "/opt/vks-legacy/agent.pyz"
CA = f"{SSL}/kube-ca.pem"

#: The node's own way to the API.
PROXY = f"https://127.0.0.1:{API_PROXY_PORT}"


def certificate(name: str) -> str:
    return f"{SSL}/{name}.pem"


def private_key(name: str) -> str:
    return f"{SSL}/{name}-key.pem"


def kubeconfig_path(name: str) -> str:
    return f"{CONFIG}/{name}.kubeconfig"


def key_files(name: str, pair: KeyPair) -> list[File]:
    return [
        File(path=certificate(name), content=pair.certificate),
        File(path=private_key(name), content=pair.key, mode=0o600),
    ]


def program(name: str, image: str) -> Program:
    return Program(image=image, source=f"usr/local/bin/{name}", target=f"{BIN}/{name}")


def service(
    name: str,
    command: str,
    flags: Iterable[str] = (),
    files: Iterable[str] = (),
    stop_seconds: int | None = None,
) -> Service:
    """A service that is always there: what it needs and does not find yet, it finds later. It is
    killed when it has not ended `stop_seconds` after it was asked to.

    Flags are quoted for systemd (systemd.service(5), "Command lines"): no value is a command.
    """
    lines = [command, *(f'"{_escaped(flag)}"' for flag in flags)]
    unit = "\n".join(
        [
            "[Unit]",
            f"Description=Kubernetes: {name}",
            "After=network-online.target containerd.service",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "ExecStart=" + " \\\n  ".join(lines),
            "Restart=always",
            "RestartSec=1",
            "LimitNOFILE=1048576",
            *([] if stop_seconds is None else [f"TimeoutStopSec={stop_seconds}"]),
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )
    return Service(name=f"legacy-{name}", unit=unit, files=tuple(files))


def switch(name: str, on: Iterable[str], off: Iterable[str]) -> Service:
    """Something that is on while the service is there. What a killed run left is taken off
    first."""
    stops = list(off)
    unit = "\n".join(
        [
            "[Unit]",
            f"Description=Kubernetes: {name}",
            "",
            "[Service]",
            "Type=oneshot",
            "RemainAfterExit=yes",
            *(f"ExecStartPre=-{command}" for command in stops),
            *(f"ExecStart={command}" for command in on),
            *(f"ExecStop={command}" for command in stops),
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )
    return Service(name=f"legacy-{name}", unit=unit)


def _escaped(flag: str) -> str:
    quoted = flag.replace("\\", "\\\\").replace('"', '\\"')
    return quoted.replace("%", "%%").replace("$", "$$")
