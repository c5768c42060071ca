"""User scripts on their way into user data: bytes in, bytes out."""

from __future__ import annotations

import base64
import gzip
import json
import random
import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.builders import ZONES, managed_cluster, node_pool
from tests.unit.service.provisioners.test_capi import GOLDEN

from vks.resources.nodepool import UserScriptSpec
from vks.service.provisioners.capi import manifest, userscript
from vks.service.provisioners.capi.workers import pool_manifests, pool_templates

EVEN = {zone: 1 for zone in ZONES}
#: What shells, YAML, jinja and cloud-init read something into.
MARKERS = [
    "#!/bin/bash\nset -e\necho 'it''s' \"quoted\" `x` $(y)\n",
    "cat <<'EOF'\n{{ ds.meta_data.uuid }} {% raw %}{# no #}\nEOF\n",
    "## template: jinja\n#cloud-config\nruncmd: [reboot]\n",
    "--==BOUNDARY==\nContent-Type: text/cloud-config\n",
    "\r\n\t\x01\x7f\u2028\ufeff日本語 🚀\n- a: &b *b !!python/object\n---\n...\n",
    " leading\n\n\n trailing   ",
]


def text_of(files: list[dict[str, Any]], path: str) -> bytes:
    """What cloud-init writes to the path, unpacked."""
    written = b""
    for file in files:
        if file["path"].endswith(f"/{path}"):
            content = base64.b64decode(file["content"], validate=True)
            unpacks = file["encoding"] == "gzip+base64"
            assert file.get("append", False) is bool(written)
            written += gzip.decompress(content) if unpacks else content
    return gzip.decompress(written) if path.endswith(".gz") else written


@given(st.sampled_from(MARKERS) | st.text(max_size=3000), st.text(max_size=300))
def test_what_is_unpacked_is_what_was_sent(pre: str, post: str) -> None:
    files = userscript.files(UserScriptSpec(pre=pre, post=post))
    for phase, sent in (("pre", pre), ("post", post)):
        if sent:
            assert text_of(files, f"{phase}.gz") == sent.encode()


@given(st.text(max_size=500))
def test_nothing_of_a_script_is_left_for_yaml_or_jinja_to_read(script: str) -> None:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    for file in userscript.files(UserScriptSpec(pre=script)):
        assert set(file["content"]) <= alphabet
        assert yaml.safe_load(f"content: |\n      {file['content']}")["content"] == file["content"]


def test_the_runner_learns_the_limit_and_what_a_failure_means() -> None:
    script = UserScriptSpec(pre="true", timeout_seconds=7, on_failure="FailNode")
    settings = json.loads(text_of(userscript.files(script), "settings.json"))
    assert settings == {"timeoutSeconds": 7, "onFailure": "FailNode"}


def test_a_large_script_is_several_files_each_as_large_as_cluster_api_takes() -> None:
    noise = "".join(random.Random(2).choices(string.ascii_letters + "0123456789", k=40_000))
    files = userscript.files(UserScriptSpec(pre=noise))
    assert max(len(file["content"]) for file in files) == 10_240
    assert text_of(files, "pre.gz") == noise.encode()


def test_the_room_is_what_nova_leaves_and_sixty_kilobytes_of_shell_fit() -> None:
    shell = "echo this line is like the others\n" * 1800
    assert len(shell) > 60_000
    assert userscript.room_left(UserScriptSpec(pre=shell)) > 0
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60_000))
    left = userscript.room_left(UserScriptSpec(pre=noise))
    assert left < 0
    assert left + userscript.packed_size(noise) < 49_149


def test_a_pool_with_a_script_is_rendered_as_in_the_golden_file() -> None:
    """If this fails because you changed the runner or the builder: deploying it replaces every
    node of every pool that has a user script."""
    script = UserScriptSpec(pre="echo pre\n", post="echo post\n", on_failure="FailNode")
    pool = node_pool(user_script=script)
    machines, configs = pool_templates(managed_cluster(), pool)
    spec = {**configs.body["spec"]["template"]["spec"]}
    spec["files"] = userscript.meaning(script)
    made = {
        "machines": [machines.key.name, machines.body["spec"]],
        "configs": [configs.key.name, spec],
    }
    assert made == json.loads((GOLDEN / "userscript.json").read_text())


def test_another_packing_of_the_same_script_is_the_same_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """zlib's output differs between its versions: an upgrade of Python must not roll nodes."""
    pool = node_pool(user_script=UserScriptSpec(pre="echo\n" * 100))
    before = pool_templates(managed_cluster(), pool)
    compress = gzip.compress
    monkeypatch.setattr(gzip, "compress", lambda data, **_: compress(data, 1))
    after = pool_templates(managed_cluster(), pool)
    assert before[1].body["spec"] != after[1].body["spec"]
    assert [m.key for m in before] == [m.key for m in after]


def test_a_changed_script_is_another_bootstrap_of_this_pool_only() -> None:
    cluster = managed_cluster()
    pools = [node_pool("a", user_script=UserScriptSpec(pre="a")), node_pool("b")]
    before = [pool_manifests(cluster, pool, EVEN) for pool in pools]
    changed = node_pool("a", user_script=UserScriptSpec(pre="b"))
    after = [pool_manifests(cluster, pool, EVEN) for pool in (changed, pools[1])]

    def names(manifests: list[manifest.Manifest]) -> list[str]:
        return [m.key.name for m in manifests[:2]]

    assert names(before[0])[0] == names(after[0])[0], "the server is the same"
    assert names(before[0])[1] != names(after[0])[1]
    assert names(before[1]) == names(after[1])


def test_kubeadm_is_waited_for_as_long_as_pre_may_take() -> None:
    slow = node_pool(user_script=UserScriptSpec(pre="x", timeout_seconds=900))
    machines, _ = pool_templates(managed_cluster(), slow)
    assert machines.body["spec"]["template"]["spec"]["nodeStartupTimeoutSeconds"] == 1500
