"""User scripts as data in a KubeadmConfig: the runner, the scripts, and what they cost.

Everything goes as base64 of gzip, which neither YAML nor jinja (cloud-init renders the user data
that Cluster API's bootstrap provider writes as a template) can read anything into: the bytes that
arrive are the bytes that were sent.
"""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from importlib import resources
from typing import Any

from vks.resources.fields import Taint
from vks.resources.nodepool import UserScriptSpec
from vks.resources.verdamachine import USER_SCRIPT

Body = dict[str, Any]

#: On nodes whose script has yet to succeed, under "FailNode"; the cloud controller takes it away.
PENDING = Taint(key=USER_SCRIPT, value="pending", effect="NoSchedule")

_HERE = "/var/lib/vks/user-script"
_UNIT = "vks-user-script.service"
_SERVICE = f"""\
[Unit]
Description=VKS user script: report, post
After=network-online.target
ConditionPathExists=!{_HERE}/reported
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 {_HERE}/runner.py post
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
"""

#: Bytes in one file: Cluster API allows 10,240 characters of content, here in base64.
_CHUNK = 10_240 // 4 * 3
#: Bytes of a worker's user data beside the user script: what the bootstrap provider writes for
#: kubeadm and for an SSH key, with room for long names, more kubelet arguments and a second API
#: endpoint.
RESERVED = 6_144
#: Raw bytes that Nova takes: 65,535 in base64.
CAPACITY = 65_535 // 4 * 3


def files(script: UserScriptSpec) -> list[Body]:
    """`files` of a KubeadmConfigSpec. Scripts stay packed on the server, since one may take several
    of Cluster API's files, of which each is appended to the one before."""
    made = [
        _file(path, permissions, _text(_packed(content)), "gzip+base64")
        for path, permissions, content in _programs(script)
    ]
    for path, content in _scripts(script):
        packed = _packed(content)
        for start in range(0, len(packed), _CHUNK):
            part = _file(f"{path}.gz", "0600", _text(packed[start : start + _CHUNK]), "base64")
            made.append(part | ({"append": True} if start else {}))
    return made


def meaning(script: UserScriptSpec) -> list[list[str]]:
    """What `files` says, before it is packed: zlib's output is not the same everywhere."""
    programs = [[path, mode, content.decode()] for path, mode, content in _programs(script)]
    return programs + [[path, content.decode()] for path, content in _scripts(script)]


def _programs(script: UserScriptSpec) -> list[tuple[str, str, bytes]]:
    settings = {"timeoutSeconds": script.timeout_seconds, "onFailure": script.on_failure}
    return [
        (f"{_HERE}/runner.py", "0600", _runner()),
        (f"{_HERE}/settings.json", "0600", json.dumps(settings, sort_keys=True).encode()),
        (f"/etc/systemd/system/{_UNIT}", "0644", _SERVICE.encode()),
    ]


def _scripts(script: UserScriptSpec) -> list[tuple[str, bytes]]:
    texts = {"pre": script.pre, "post": script.post}
    return [(f"{_HERE}/{phase}", text.encode()) for phase, text in texts.items() if text]


def _file(path: str, permissions: str, content: str, encoding: str) -> Body:
    return {
        "path": path,
        "owner": "root:root",
        "permissions": permissions,
        "encoding": encoding,
        "content": content,
    }


def pre_commands() -> list[str]:
    """`preKubeadmCommands`."""
    return [f"python3 {_HERE}/runner.py pre"]


def post_commands() -> list[str]:
    """`postKubeadmCommands`: cloud-init does not wait for the node to be Ready."""
    return [f"systemctl enable --now --no-block {_UNIT}"]


def room_left(script: UserScriptSpec) -> int:
    """How many bytes of user data are left beside the script, in its packed form; negative when
    it does not fit."""
    return CAPACITY - RESERVED - sum(map(_size, files(script)))


def packed_size(text: str) -> int:
    """The bytes of user data that a script takes."""
    return len(_text(_packed(text.encode()))) if text else 0


def _size(file: Body) -> int:
    """With the keys and the indentation that the bootstrap provider writes around it."""
    return len(file["content"]) + len(file["path"]) + 160


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@cache
def _runner() -> bytes:
    return resources.files(__name__).joinpath("runner.py").read_bytes()
