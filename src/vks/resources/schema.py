"""Structural OpenAPI schemas from msgspec types, in the dialect that CRDs accept.

`msgspec.json.schema` is not usable as it is: CRDs know neither `$ref` nor `anyOf` with null,
want `nullable`-free optionals, and put list semantics in `x-kubernetes-*`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

from vks.kube.objects import ObjectMeta

Schema = dict[str, Any]

_BOUNDS = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
}


class UnsupportedTypeError(TypeError):
    """A field's type has no structural schema."""


def schema_of(type_: Any) -> Schema:
    """The structural schema of `type_`. Raises UnsupportedTypeError for what CRDs cannot say."""
    return _schema(inspect.type_info(type_))


def _schema(info: inspect.Type) -> Schema:
    if isinstance(info, inspect.Metadata):
        return _schema(info.type) | (info.extra_json_schema or {})
    if isinstance(info, inspect.StructType):
        return _struct(info)
    if isinstance(info, inspect.UnionType):
        return _optional(info)
    if isinstance(info, inspect.ListType | inspect.VarTupleType):
        return {"type": "array", "items": _schema(info.item_type), **_size(info, "Items")}
    if isinstance(info, inspect.DictType):
        return {"type": "object", "additionalProperties": _schema(info.value_type)}
    if isinstance(info, inspect.LiteralType):
        return {"type": "string", "enum": sorted(info.values)}
    return _scalar(info)


def _scalar(info: inspect.Type) -> Schema:
    if isinstance(info, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(info, inspect.IntType):
        return {"type": "integer", "format": "int64", **_bounds(info)}
    if isinstance(info, inspect.StrType):
        return {"type": "string", **_bounds(info)}
    if isinstance(info, inspect.AnyType):
        return {"x-kubernetes-preserve-unknown-fields": True}
    raise UnsupportedTypeError(f"no structural schema for {info!r}")


def _bounds(info: inspect.Type) -> Schema:
    values = {wire: getattr(info, name, None) for name, wire in _BOUNDS.items()}
    return {wire: value for wire, value in values.items() if value is not None}


def _size(info: inspect.ListType | inspect.VarTupleType, what: str) -> Schema:
    bounds = {f"min{what}": info.min_length, f"max{what}": info.max_length}
    return {wire: value for wire, value in bounds.items() if value is not None}


def _optional(info: inspect.UnionType) -> Schema:
    rest = [member for member in info.types if not isinstance(member, inspect.NoneType)]
    if len(rest) != 1:
        raise UnsupportedTypeError(f"only `X | None` has a structural schema, not {info!r}")
    return _schema(rest[0])


def _struct(info: inspect.StructType) -> Schema:
    if info.cls is ObjectMeta:
        # Templates carry only labels and annotations (Cluster API's ObjectMeta).
        text = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"type": "object", "properties": {"labels": text, "annotations": text}}
    schema: Schema = {
        "type": "object",
        "properties": {field.encode_name: _schema(field.type) for field in info.fields},
    }
    required = [field.encode_name for field in info.fields if field.required]
    if required:
        schema["required"] = required
    description = description_of(info.cls)
    if description:
        schema["description"] = description
    rules = getattr(info.cls, "validations", ())
    if rules:
        schema["x-kubernetes-validations"] = [dict(rule) for rule in rules]
    return schema


def description_of(cls: type) -> str:
    """The class's own docstring on one line, empty when it has none."""
    doc = cls.__dict__.get("__doc__") or ""
    return " ".join(doc.replace("`", "").split())


def field_schema(model: type[msgspec.Struct], name: str) -> Schema | None:
    """The schema of one field of a Struct, or None when it has no such field."""
    fields = {field.name: field.type for field in msgspec.structs.fields(model)}
    return schema_of(fields[name]) if name in fields else None
