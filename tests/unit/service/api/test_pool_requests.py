"""From requests about pools to specs, and to what a change writes."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.service.builders import ZONES, node_pool

from vks.resources.fields import Taint
from vks.resources.nodepool import (
    AutoscalingSpec,
    NodePool,
    NodePoolSpec,
    NodePoolStatus,
    RootVolumeSpec,
    UserScriptSpec,
    ZoneStatus,
)
from vks.service.api.pool_models import NodePoolCreate, NodePoolPatch
from vks.service.api.pool_requests import merge_patch, patched, pool_spec
from vks.service.applying import plain

SCRIPT = UserScriptSpec(pre="a", post="b", timeout_seconds=7, on_failure="FailNode")


def asked(pool: NodePool | None = None, **patch: Any) -> NodePoolSpec:
    return patched(pool or node_pool(), NodePoolPatch.model_validate(patch))


def test_a_new_pool_is_spelt_out() -> None:
    request = NodePoolCreate.model_validate(
        {
            "name": "p",
            "flavor": "small",
            "autoscaling": {"min": 2, "max": 5},
            "rootVolume": {"sizeGiB": 50},
            "userScript": {"pre": "a", "post": "b", "timeoutSeconds": 7, "onFailure": "FailNode"},
        }
    )
    spec = pool_spec("demo", request, "img-1", ZONES)
    assert spec == NodePoolSpec(
        cluster_name="demo",
        pool_name="p",
        replicas=2,
        flavor="small",
        image="img-1",
        zones=ZONES,
        root_volume=RootVolumeSpec(size_gib=50),
        user_script=SCRIPT,
        autoscaling=AutoscalingSpec(min=2, max=5),
    )


def test_a_patch_changes_what_it_names() -> None:
    before = node_pool().spec
    assert asked() == before
    assert asked(replicas=5) == msgspec.structs.replace(before, replicas=5)
    assert asked(labels={"tier": None, "a": "b"}).labels == {"a": "b"}
    assert asked(taints=[]).taints == ()
    assert asked(rootVolume={"sizeGiB": 7}).root_volume == RootVolumeSpec(size_gib=7)
    assert asked(replicas=None, zones=None, flavor=None) == before, "null says nothing there"


@pytest.mark.parametrize("field", ["user_script", "key_name", "autoscaling", "root_volume"])
def test_null_takes_away_what_may_be_absent(field: str) -> None:
    pool = node_pool(
        user_script=SCRIPT,
        key_name="k",
        autoscaling=AutoscalingSpec(min=0, max=9),
        root_volume=RootVolumeSpec(size_gib=9),
    )
    assert getattr(asked(pool, **{field: None}), field) is None


def test_a_script_is_merged_part_by_part() -> None:
    pool = node_pool(user_script=SCRIPT)
    changed = asked(pool, userScript={"post": "", "timeoutSeconds": 9}).user_script
    assert changed == msgspec.structs.replace(SCRIPT, post="", timeout_seconds=9)
    assert asked(userScript={"pre": "x"}).user_script == UserScriptSpec(pre="x")


def test_a_pool_that_is_no_longer_autoscaled_keeps_its_size() -> None:
    pool = node_pool(replicas=1, autoscaling=AutoscalingSpec(min=0, max=9))
    zones = (ZoneStatus(name="tokyo-1", desired=3), ZoneStatus(name="tokyo-2", desired=4))
    pool = msgspec.structs.replace(pool, status=NodePoolStatus(zones=zones))
    assert asked(pool, autoscaling=None).replicas == 7
    assert asked(pool, autoscaling=None, replicas=2).replicas == 2


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


specs = st.builds(
    lambda **fields: node_pool(**fields).spec,
    replicas=st.integers(0, 5),
    labels=st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")),
    taints=st.lists(st.builds(Taint, key=st.sampled_from("kl"), effect=st.just("NoExecute"))).map(
        tuple
    ),
    key_name=st.none() | st.just("key"),
    user_script=st.none() | st.builds(UserScriptSpec, pre=st.sampled_from(["", "a"])),
    autoscaling=st.none() | st.builds(AutoscalingSpec, min=st.just(0), max=st.integers(0, 3)),
)


@given(specs, specs)
def test_the_patch_makes_one_the_other(before: NodePoolSpec, after: NodePoolSpec) -> None:
    patch = merge_patch(before, after)
    assert merged(plain(before), patch) == plain(after)
    assert merge_patch(after, after) == {}


ODD_NAMES = ["", "a\n", "a'", 'a"', "a{{b}}", "a\0", "a b", "\u00e9", "-a", "A", "a" * 21]


@given(st.sampled_from(ODD_NAMES) | st.text())
def test_a_name_is_a_dns_label_or_refused_by_its_field(name: str) -> None:
    wrong: list[Any] = []
    try:
        NodePoolCreate.model_validate({"name": name, "flavor": "small"})
    except ValidationError as error:
        wrong = [problem["loc"] for problem in error.errors()]
    valid = re.fullmatch(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?", name) is not None
    assert wrong == ([] if valid else [("name",)])


@given(st.text(max_size=200), st.text(max_size=50))
def test_a_script_is_kept_to_the_character(pre: str, post: str) -> None:
    script = {"pre": pre, "post": post}
    body = json.dumps({"name": "p", "flavor": "small", "userScript": script})
    spec = pool_spec("demo", NodePoolCreate.model_validate_json(body), "img-1", ZONES)
    stored = msgspec.json.decode(msgspec.json.encode(plain(spec)), type=NodePoolSpec)
    assert stored.user_script == UserScriptSpec(pre=pre, post=post)
