from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from vks.kube.conditions import ConditionSet, conditions_body, set_condition
from vks.kube.config import ClientConfig, KubeconfigError
from vks.kube.errors import AlreadyExists, Gone, Unavailable, error_from_status
from vks.kube.objects import Key
from vks.kube.selectors import Selection, matches_labels

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_transition_time_changes_only_with_the_status() -> None:
    first = set_condition((), "Ready", False, "Booting", now=EARLY)
    same = set_condition(first, "Ready", False, "StillBooting", "2 of 3", now=LATE)
    assert same[0].last_transition_time == "2026-01-01T00:00:00Z"
    assert same[0].reason == "StillBooting"
    flipped = set_condition(same, "Ready", True, "Up", now=LATE)
    assert flipped[0].last_transition_time == "2026-01-02T00:00:00Z"
    assert conditions_body(flipped)[0]["lastTransitionTime"] == "2026-01-02T00:00:00Z"


def test_other_conditions_keep_their_place() -> None:
    two = set_condition((), "A", True, "R", now=EARLY)
    two = set_condition(two, "B", "Unknown", "R", now=EARLY)
    assert [c.type for c in set_condition(two, "A", False, "R", now=LATE)] == ["A", "B"]


def test_what_was_found_out_holds_of_the_generation_that_our_own_write_makes() -> None:
    before = set_condition((), "Ready", True, "Up", now=EARLY, observed_generation=2)
    conditions = ConditionSet(before, ("Ready", "Paused", "Done"), now=LATE, generation=3)
    conditions.set("Paused", False, "NotPaused")
    conditions.observe(4)
    conditions.set("Done", True, "Done")
    seen = {c.type: c.observed_generation for c in conditions.all()}
    assert seen == {"Ready": 2, "Paused": 4, "Done": 4}


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ("a=1", {"a": "1"}, True),
        ("a==1,b!=2", {"a": "1"}, True),
        ("a=1,b!=2", {"a": "1", "b": "2"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a in (x, y),!b", {"a": "y"}, True),
        ("a notin (x,y)", {}, True),
        ("example.com/a notin (x,y)", {"example.com/a": "x"}, False),
    ],
)
def test_label_selectors_mean_what_the_server_means(
    selector: str, labels: dict[str, str], expected: bool
) -> None:
    assert matches_labels(selector, labels) is expected


def test_a_selection_excludes_other_namespaces() -> None:
    assert Selection("n").may_contain(Key("n", "x"), {})
    assert not Selection("n").may_contain(Key("m", "x"), {})


def kubeconfig(**user: object) -> dict[str, object]:
    cluster = {"server": "https://10.0.0.1:6443/", "proxy-url": "http://127.0.0.1:7081"}
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


def test_a_kubeconfig_is_read_from_a_file_with_paths_beside_it(tmp_path: Path) -> None:
    (tmp_path / "client.key").write_text("key")
    data = base64.b64encode(b"cert").decode()
    document = kubeconfig(**{"client-key": "client.key", "client-certificate-data": data})
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    config = ClientConfig.from_kubeconfig(tmp_path / "config")
    assert config.server == "https://10.0.0.1:6443"
    assert config.proxy_url == "http://127.0.0.1:7081"
    assert (config.client_cert_data, config.client_key_data) == (b"cert", b"key")


def test_no_secret_is_in_the_representation() -> None:
    config = ClientConfig.from_kubeconfig(kubeconfig(token="hush-hush"))
    assert config.token == "hush-hush"
    assert "hush-hush" not in repr(config)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"\t{", "YAML"),
        (b"[]", "mapping"),
        (kubeconfig(exec={"command": "x"}), "exec"),
        (kubeconfig() | {"current-context": "other"}, "contexts"),
        (kubeconfig(**{"client-key-data": "%%%"}), "base64"),
    ],
)
def test_an_unusable_kubeconfig_says_what_is_wrong(source: object, message: str) -> None:
    with pytest.raises(KubeconfigError, match=message):
        ClientConfig.from_kubeconfig(source)  # type: ignore[arg-type]


def test_statuses_become_errors() -> None:
    assert isinstance(error_from_status(b'{"reason":"AlreadyExists","code":409}'), AlreadyExists)
    assert isinstance(error_from_status(b'{"reason":"Expired","code":410}'), Gone)
    page = error_from_status(b"<html>bad gateway", http_status=502)
    assert isinstance(page, Unavailable)
    assert "bad gateway" in page.message
