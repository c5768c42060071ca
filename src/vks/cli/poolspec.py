"""`--pool "name=default;count=3;flavor=small;zones=tokyo-1,tokyo-2"`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Settings whose value is a word, and those whose value is a number: key -> where it goes.
WORDS = {
    "name": ("name",),
    "flavor": ("flavor",),
    "image": ("image",),
    "key": ("keyName",),
    "on-failure": ("userScript", "onFailure"),
}
NUMBERS = {
    "count": ("replicas",),
    "min": ("autoscaling", "min"),
    "max": ("autoscaling", "max"),
    "max-surge": ("maxSurge",),
    "max-unavailable": ("maxUnavailable",),
    "drain-timeout": ("drainTimeoutSeconds",),
    "script-timeout": ("userScript", "timeoutSeconds"),
    "root-volume": ("rootVolume", "sizeGiB"),
}
#: Settings whose value is a file with a script.
SCRIPTS = {"pre": ("userScript", "pre"), "post": ("userScript", "post")}
#: Settings whose value is a number of addresses, or the addresses with commas between them.
ADDRESSES = {"static-ips": ("staticIP",)}

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
    missing = [word for word in ("name", "flavor") if word not in pool]
    if "replicas" not in pool and "autoscaling" not in pool:
        missing.insert(0, "count")
    if missing:
        raise PoolSpecError(f"{', '.join(missing)} missing in {text!r}")
    return pool


def _add(pool: dict[str, Any], key: str, value: str) -> None:
    if key in (*WORDS, *NUMBERS, *SCRIPTS, *ADDRESSES):
        setting(pool, key, value)
    elif key == "zones":
        pool["zones"] = [zone for zone in value.split(",") if zone]
    elif key == "label":
        name, _, content = value.partition(":")
        pool["labels"][name] = content
    elif key == "taint":
        pool["taints"].append(_taint(value))
    else:
        known = ", ".join([*WORDS, *NUMBERS, *SCRIPTS, *ADDRESSES, "zones", "label", "taint"])
        raise PoolSpecError(f"{key!r} is unknown: {known} are known")


def setting(pool: dict[str, Any], key: str, value: str) -> None:
    """Puts one setting where the REST API wants it. Raises PoolSpecError."""
    found: Any = value
    if key in NUMBERS:
        if not value.isdecimal():
            raise PoolSpecError(f"{key}={value} is not a number")
        found = int(value)
    elif key in SCRIPTS:
        found = _script(key, value)
    elif key in ADDRESSES:
        found = _static_ip(value)
    *outer, last = (WORDS | NUMBERS | SCRIPTS | ADDRESSES)[key]
    for part in outer:
        pool = pool.setdefault(part, {})
    pool[last] = found


def _static_ip(value: str) -> dict[str, Any]:
    if value.isdecimal():
        return {"count": int(value)}
    return {"addresses": [address for address in value.split(",") if address]}


def _script(key: str, file: str) -> str:
    try:
        return Path(file).read_bytes().decode()
    except OSError as error:
        raise PoolSpecError(f"{key}={file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PoolSpecError(f"{key}={file} is not UTF-8: {error.reason}") from error


def _taint(value: str) -> dict[str, str]:
    key, _, rest = value.partition(":")
    content, _, effect = rest.rpartition(":")
    if not key or effect not in _EFFECTS:
        raise PoolSpecError(f"taint={value} is not KEY:VALUE:EFFECT ({', '.join(_EFFECTS)})")
    return {"key": key, "value": content, "effect": effect}
