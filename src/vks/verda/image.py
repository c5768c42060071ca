"""Glance: the images that servers boot from."""

from __future__ import annotations

import msgspec

from vks.verda.transport import Service, Transport

IMAGE = Service("image", version="v2")


class Image(msgspec.Struct, frozen=True):
    """`kubernetes_version` (for example v1.36.3) is the property `vks_kubernetes_version`; empty
    for an image that is not a node image. `min_disk` is in GiB."""

    id: str
    name: str = ""
    status: str = ""
    visibility: str = ""
    owner: str | None = None
    architecture: str = "x86_64"
    min_disk: int = 0
    kubernetes_version: str = msgspec.field(name="vks_kubernetes_version", default="")
    tags: tuple[str, ...] = ()


class ImageClient:
    """Every method raises CloudError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def images(self, *, name: str = "") -> list[Image]:
        """The images that the project may use; `name` matches exactly."""
        params = {"name": name} if name else {}
        return await self._transport.list(IMAGE, "/images", "images", Image, params)
