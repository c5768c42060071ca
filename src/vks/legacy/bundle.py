"""How the agent gets onto a node: as one file in the user data, made of this very code."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

import yaml

from vks.legacy.agent import protocol
from vks.legacy.plan.units import AGENT, CONFIG
from vks.resources.fields import SSH_USER, SSH_USER_SUDO

_SETTINGS = f"{CONFIG}/agent.json"
_UNIT_NAME = "vks-legacy-agent.service"
_MAIN = "from vks.legacy.agent.__main__ import main\n\nmain()\n"
#: ZIP's first moment: the same code makes the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)

_UNIT = f"""\
[Unit]
Description=Agent of the legacy provisioner
After=network-online.target containerd.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/python3 {AGENT} {_SETTINGS}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def agent_archive() -> bytes:
    """A zip file that Python runs (`zipapp`): the agent's modules under their own names."""
    agent = resources.files("vks.legacy.agent")
    files = {
        "__main__.py": _MAIN,
        "vks/__init__.py": "",
        "vks/legacy/__init__.py": "",
        **{
            str(PurePosixPath("vks/legacy/agent", module.name)): module.read_text()
            for module in sorted(agent.iterdir(), key=lambda item: item.name)
            if module.name.endswith(".py")
        },
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def user_data(
    hub_url: str, hub_ca: str, namespace: str, node: str, token: str, ssh_key: str | None = None
) -> bytes:
    """The cloud-config of a node; `hub_ca` is PEM text, and `ssh_key` lets its owner in."""
    url = hub_url.rstrip("/") + protocol.path(namespace, node)
    settings = json.dumps({"url": url, "token": token, "ca": hub_ca})
    document: dict[str, Any] = {
        "write_files": [
            {
                "path": AGENT,
                "permissions": "0755",
                "encoding": "b64",
                "content": base64.b64encode(agent_archive()).decode(),
            },
            {"path": _SETTINGS, "permissions": "0600", "content": settings},
            {"path": f"/etc/systemd/system/{_UNIT_NAME}", "content": _UNIT},
        ],
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", _UNIT_NAME],
        ],
    }
    if ssh_key is not None:
        user = {"name": SSH_USER, "shell": "/bin/bash", "sudo": SSH_USER_SUDO}
        document["users"] = [{**user, "ssh_authorized_keys": [ssh_key]}]
    return b"#cloud-config\n" + yaml.safe_dump(document, sort_keys=False).encode()
