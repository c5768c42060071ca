"""`--pool "name=default;count=3;flavor=small;zones=tokyo-1,tokyo-2"`."""

from __future__ import annotations

from typing import Any

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class PoolSpecError(ValueError):
    """The text is not a pool; the message names the part."""


def parse_pool(text: str) -> dict[str, Any]:
    """The REST API's node pool. `label` and `taint` may be repeated. Raises PoolSpecError."""
    pool: dict[str, Any] = {"labels": {}, "taints": []}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        key, found, value = part.partition("=")
        if not found or not value:
            raise PoolSpecError(f"{part!r} is not key=value")
        _add(pool, key.strip(), value.strip())
    if missing := {"name", "replicas", "flavor"} - pool.keys():
        words = sorted("count" if m == "replicas" else m for m in missing)
        raise PoolSpecError(f"{', '.join(words)} missing in {text!r}")
    return pool


def _add(pool: dict[str, Any], key: str, value: str) -> None:
    if key in ("name", "flavor", "image"):
        pool[key] = value
    elif key == "count":
        if not value.isdecimal():
            raise PoolSpecError(f"count={value} is not a number")
        pool["replicas"] = int(value)
    elif key == "zones":
        pool["zones"] = [zone for zone in value.split(",") if zone]
    elif key == "label":
        name, _, content = value.partition(":")
        pool["labels"][name] = content
    elif key == "taint":
        pool["taints"].append(_taint(value))
    else:
        raise PoolSpecError(
            f"{key!r} is unknown: name, count, flavor, zones, image, label and taint are known"
        )


def _taint(value: str) -> dict[str, str]:
    key, _, rest = value.partition(":")
    content, _, effect = rest.rpartition(":")
    if not key or effect not in _EFFECTS:
        raise PoolSpecError(f"taint={value} is not KEY:VALUE:EFFECT ({', '.join(_EFFECTS)})")
    return {"key": key, "value": content, "effect": effect}
