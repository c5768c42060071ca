"""The kind that all of them reconcile."""

from __future__ import annotations

from typing import Any, ClassVar

from vks.kube.objects import KubeObject, KubeStruct, Resource

GROUP, VERSION = "bench.vks.verda", "v1"
NAMESPACE = "default"
#: About as large as a VerdaMachine with its managedFields: 3 kB on the wire.
_PARAMETERS = {f"parameter-{number:02}": "x" * 40 for number in range(24)}


class WidgetSpec(KubeStruct, frozen=True, kw_only=True):
    value: int = 0
    parameters: dict[str, str] = {}


class WidgetStatus(KubeStruct, frozen=True, kw_only=True):
    observed_generation: int = 0


class Widget(KubeObject, frozen=True, kw_only=True):
    resource: ClassVar[Resource] = Resource(GROUP, VERSION, "Widget", "widgets")
    spec: WidgetSpec = WidgetSpec()
    status: WidgetStatus = WidgetStatus()


def name_of(number: int) -> str:
    return f"widget-{number:05}"


def new(name: str) -> dict[str, Any]:
    """The body of a new object."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"metadata": metadata, "spec": {"value": 0, "parameters": _PARAMETERS}}


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition."""
    counted = {"type": "integer", "format": "int64"}
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "value": counted,
                    "parameters": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    },
                },
            },
            "status": {
                "type": "object",
                "properties": {"observedGeneration": counted},
                # kopf keeps its own progress here.
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    }
    return {
        "metadata": {"name": f"widgets.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
