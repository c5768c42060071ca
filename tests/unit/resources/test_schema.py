"""What msgspec types become in a CRD."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from vks.kube.objects import KubeStruct, ObjectMeta
from vks.resources.fields import NamedList
from vks.resources.schema import UnsupportedTypeError, schema_of


class Inner(KubeStruct, frozen=True, kw_only=True):
    """An inner thing."""

    provider_id: str
    size: Annotated[int, msgspec.Meta(ge=1, le=3)] = 2


class Outer(KubeStruct, frozen=True, kw_only=True):
    validations: ClassVar[tuple[dict[str, str], ...]] = ({"rule": "self.a == 'x'"},)

    inner: Inner | None = None
    items: Annotated[tuple[Inner, ...], NamedList] = ()
    labels: dict[str, str] = {}
    mode: Literal["b", "a"] = "a"


def test_a_struct_names_its_fields_as_on_the_wire_and_requires_those_without_default() -> None:
    schema = schema_of(Inner)
    assert schema["required"] == ["providerID"]
    assert schema["properties"]["size"] == {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "maximum": 3,
    }
    assert schema["description"] == "An inner thing."


def test_an_optional_field_is_simply_not_required() -> None:
    schema = schema_of(Outer)
    assert "required" not in schema
    assert schema["properties"]["inner"]["type"] == "object"
    assert "nullable" not in schema["properties"]["inner"]


def test_list_semantics_and_enums_and_maps_are_carried() -> None:
    properties = schema_of(Outer)["properties"]
    assert properties["items"]["x-kubernetes-list-map-keys"] == ["name"]
    assert properties["mode"] == {"type": "string", "enum": ["a", "b"]}
    assert properties["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}


def test_validation_rules_of_a_struct_become_cel() -> None:
    assert schema_of(Outer)["x-kubernetes-validations"] == [{"rule": "self.a == 'x'"}]


def test_metadata_inside_a_template_holds_labels_and_annotations_only() -> None:
    assert set(schema_of(ObjectMeta)["properties"]) == {"labels", "annotations"}


@pytest.mark.parametrize("type_", [int | str, float, bytes])
def test_what_a_crd_cannot_say_is_refused(type_: Any) -> None:
    with pytest.raises(UnsupportedTypeError):
        schema_of(type_)
