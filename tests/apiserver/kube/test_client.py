from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest
from tests.support.apiserver import ApiServer

from vks.kube.apply import Applier, ApplyConfig
from vks.kube.client import Client
from vks.kube.codec import Bookmark, Change
from vks.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
)
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import KubeObject, PartialObjectMetadata, Resource

CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")


class ConfigMap(KubeObject, frozen=True):
    resource = CONFIG_MAPS
    data: dict[str, str] = {}


class SecretMetadata(PartialObjectMetadata, frozen=True):
    resource = Resource("", "v1", "Secret", "secrets")


def body(namespace: str, name: str = "a", **data: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


async def test_apply_owns_what_it_says_and_gives_up_what_it_leaves_out(
    client: Client, namespace: str
) -> None:
    await client.apply(ConfigMap, body(namespace, mine="1"), field_manager="me")
    await client.apply(ConfigMap, body(namespace, theirs="2"), field_manager="them")
    both = await client.apply(ConfigMap, body(namespace, mine="3"), field_manager="me")
    assert both.data == {"mine": "3", "theirs": "2"}
    left = await client.apply(ConfigMap, body(namespace), field_manager="me")
    assert left.data == {"theirs": "2"}


async def test_apply_without_force_does_not_take_fields_away(
    client: Client, namespace: str
) -> None:
    await client.apply(ConfigMap, body(namespace, x="1"), field_manager="them")
    with pytest.raises(Conflict):
        await client.apply(ConfigMap, body(namespace, x="2"), field_manager="me", force=False)
    assert (await client.get(ConfigMap, "a", namespace)).data == {"x": "1"}


async def test_an_explicit_zero_stays_owned(client: Client, namespace: str) -> None:
    class Spec(ApplyConfig, frozen=True):
        selector: dict[str, object]
        template: dict[str, object]
        replicas: int | msgspec.UnsetType = msgspec.UNSET
        paused: bool | msgspec.UnsetType = msgspec.UNSET

    class Deployment(ApplyConfig, frozen=True):
        metadata: dict[str, str]
        spec: Spec

    labels = {"app": "x"}
    wanted = Deployment(
        metadata={"name": "d", "namespace": namespace},
        spec=Spec(
            replicas=0,
            selector={"matchLabels": labels},
            template={
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        ),
    )
    resource = Resource("apps", "v1", "Deployment", "deployments")
    made = await client.apply(resource, wanted, field_manager="me")
    assert made["spec"]["replicas"] == 0
    owned = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert "f:replicas" in owned
    assert "f:paused" not in owned


def test_apply_configurations_with_value_defaults_are_refused() -> None:
    with pytest.raises(TypeError, match="UNSET"):

        class Value(ApplyConfig, frozen=True):
            replicas: int = 0

    with pytest.raises(TypeError, match="omit_defaults"):

        class Omitting(ApplyConfig, frozen=True, omit_defaults=True):
            replicas: int


async def test_the_same_apply_is_sent_once_and_drift_is_repaired(
    client: Client, namespace: str
) -> None:
    applier = Applier(client, "me")
    first = await applier.apply(ConfigMap, body(namespace, x="1"))
    assert first is not None
    assert await applier.apply(ConfigMap, body(namespace, x="1"), observed=first) is None
    drifted = await client.merge_patch(ConfigMap, "a", namespace, {"data": {"x": "9"}})
    repaired = await applier.apply(ConfigMap, body(namespace, x="1"), observed=drifted)
    assert repaired is not None
    assert repaired.data == {"x": "1"}


async def test_finalizers_change_only_what_was_read(client: Client, namespace: str) -> None:
    read = await client.create(ConfigMap, body(namespace))
    with_one = await add_finalizer(client, read, "test.example/one")
    with_two = await add_finalizer(client, with_one, "test.example/two")
    assert with_two.metadata.finalizers == ("test.example/one", "test.example/two")
    with pytest.raises(Conflict):
        await remove_finalizer(client, with_one, "test.example/one")  # stale
    left = await remove_finalizer(client, with_two, "test.example/one")
    assert left.metadata.finalizers == ("test.example/two",)
    assert await add_finalizer(client, left, "test.example/two") is left
    assert await client.delete(ConfigMap, "a", namespace)
    deleting = await client.get(ConfigMap, "a", namespace)
    assert deleting.deleting
    await remove_finalizer(client, deleting, "test.example/two")
    with pytest.raises(NotFound):
        await client.get(ConfigMap, "a", namespace)


async def test_errors_have_their_own_classes(client: Client, namespace: str) -> None:
    with pytest.raises(NotFound):
        await client.get(ConfigMap, "nothing", namespace)
    made = await client.create(ConfigMap, body(namespace))
    with pytest.raises(AlreadyExists):
        await client.create(ConfigMap, body(namespace))
    with pytest.raises(Invalid) as caught:
        await client.create(ConfigMap, body(namespace, name="Not A Name"))
    assert caught.value.causes[0].field == "metadata.name"
    with pytest.raises(Conflict):
        await client.delete(ConfigMap, "a", namespace, uid="another")
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"x": "1"}}
    with pytest.raises(Conflict):
        await client.merge_patch(ConfigMap, "a", namespace, stale)
    assert await client.delete(ConfigMap, "a", namespace, uid=made.metadata.uid)
    assert not await client.delete(ConfigMap, "a", namespace)


async def test_a_server_that_is_not_there_is_unavailable(apiserver: ApiServer) -> None:
    from vks.kube.config import ClientConfig

    async with Client(ClientConfig(server="http://127.0.0.1:1")) as client:
        with pytest.raises(Unavailable) as caught:
            await client.get(ConfigMap, "a", "default")
    assert caught.value.status == 0


async def test_lists_follow_every_page(client: Client, namespace: str) -> None:
    await asyncio.gather(
        *(client.create(ConfigMap, body(namespace, name=f"c{i:02}")) for i in range(25))
    )
    listed = await client.list(ConfigMap, namespace, limit=10)
    assert [item.metadata.name for item in listed.items] == [f"c{i:02}" for i in range(25)]
    untyped = await client.list(CONFIG_MAPS, namespace, field_selector="metadata.name=c03")
    assert [item["metadata"]["name"] for item in untyped.items] == ["c03"]


async def test_an_object_of_the_wrong_shape_does_not_hide_the_others(
    client: Client, namespace: str
) -> None:
    class Strict(KubeObject, frozen=True):
        resource = CONFIG_MAPS
        data: dict[str, bool] = {}

    await client.create(ConfigMap, body(namespace, name="fits"))
    await client.create(ConfigMap, body(namespace, name="poison", x="text"))
    listed = await client.list(Strict, namespace)
    assert [item.metadata.name for item in listed.items] == ["fits"]
    assert [found.name for found in listed.poison] == ["poison"]


async def test_metadata_only_kinds_carry_no_secret(client: Client, namespace: str) -> None:
    secret = {
        "metadata": {"name": "s", "namespace": namespace},
        "data": {"k": base64.b64encode(b"secret").decode()},
    }
    await client.create(Resource("", "v1", "Secret", "secrets"), secret)
    got = await client.get(SecretMetadata, "s", namespace)
    assert got.metadata.name == "s"
    raw = await client.list(SecretMetadata, namespace)
    assert len(raw.items) == 1
    async with client.watch(
        SecretMetadata, namespace, resource_version=raw.resource_version
    ) as stream:
        patch = {"metadata": {"labels": {"l": "1"}}}
        await client.merge_patch(SecretMetadata, "s", namespace, patch)
        batch = await asyncio.wait_for(anext(aiter(stream)), 10)
    assert isinstance(batch[0], Change)
    assert batch[0].object.metadata.labels == {"l": "1"}


async def test_line_separators_in_annotations_do_not_break_a_watch(
    client: Client, namespace: str
) -> None:
    text = "one\u0085two\u2028three\u2029four\x0bfive"
    start = (await client.list(ConfigMap, namespace)).resource_version
    async with client.watch(ConfigMap, namespace, resource_version=start) as stream:
        await client.create(ConfigMap, body(namespace, note=text))
        batch = await asyncio.wait_for(anext(aiter(stream)), 10)
    assert isinstance(batch[0], Change)
    assert batch[0].object.data == {"note": text}


async def test_a_watch_with_little_time_ends_cleanly(client: Client, namespace: str) -> None:
    start = (await client.list(ConfigMap, namespace)).resource_version
    async with client.watch(
        ConfigMap, namespace, resource_version=start, timeout_seconds=1
    ) as stream:
        events = [event async for batch in stream for event in batch]
    assert all(isinstance(event, Bookmark) for event in events)


async def test_custom_resources_are_validated_and_have_a_status(client: Client) -> None:
    crds = Resource(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False
    )
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    size = {"type": "integer", "x-kubernetes-validations": [{"rule": "self < 10"}]}
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": size}},
            "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    crd = {
        "metadata": {"name": "widgets.kube.test"},
        "spec": {"group": "kube.test", "scope": "Cluster", "names": names, "versions": [version]},
    }
    await client.apply(crds, crd, field_manager="test")
    widgets = Resource("kube.test", "v1", "Widget", "widgets", namespaced=False)
    good = {"metadata": {"name": "w"}, "spec": {"size": 3}}
    async with asyncio.timeout(20):
        while True:
            try:
                await client.apply(widgets, good, field_manager="test")
                break
            except ApiError:  # not served yet
                await asyncio.sleep(0.1)
    bad = {"metadata": {"name": "w"}, "spec": {"size": 30}}
    with pytest.raises(Invalid) as caught:
        await client.apply(widgets, bad, field_manager="test")
    assert caught.value.causes[0].field == "spec.size"
    status = {"metadata": {"name": "w"}, "status": {"ready": False}}
    done = await client.apply(widgets, status, field_manager="test", subresource="status")
    assert done["status"] == {"ready": False}
    assert done["spec"] == {"size": 3}
