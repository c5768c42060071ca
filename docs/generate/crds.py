"""The page on custom resources, out of the definitions that the API server gets."""

from __future__ import annotations

from typing import Any

from docs.generate.markdown import NOTICE, field_table, flat_fields

from vks.resources.crd import custom_resource_definitions

_INTRODUCTION = """
# Custom resources

All state of VKS is in these kinds, in the management cluster of a region. The definitions are in
[`config/crd`](../../config/crd), made from [`src/vks/resources`](../../src/vks/resources).
`metadata` is left out of the tables, and so are the fields of conditions (`metav1.Condition`);
required fields are required within their parent.
"""


def page() -> str:
    """The whole page."""
    return NOTICE + _INTRODUCTION + "".join(_kind(crd) for crd in custom_resource_definitions())


def _kind(crd: dict[str, Any]) -> str:
    spec = crd["spec"]
    (version,) = spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    shown = {key: value for key, value in schema["properties"].items() if key in ("spec", "status")}
    short = ", ".join(f"`{name}`" for name in spec["names"].get("shortNames", ()))
    facts = [f"`{spec['group']}/{version['name']}`", spec["scope"].lower()]
    facts += [f"short name {short}"] if short else []
    text = f"\n## {spec['names']['kind']}\n\n{', '.join(facts)}\n"
    if schema.get("description"):
        text += f"\n{schema['description']}\n"
    text += f"\n{field_table(flat_fields({**schema, 'properties': shown}))}"
    rules = schema.get("x-kubernetes-validations", ())
    if rules:
        text += "\nRules:\n\n" + "".join(f"- {rule['message']}\n" for rule in rules)
    return text
