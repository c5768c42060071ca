"""What Glance remembers."""

from __future__ import annotations

from vks.local.cloud.core.table import Row, Table


class Image(Row, frozen=True, kw_only=True):
    """`path` is where the server back end finds the image's content; it is never shown."""

    id: str
    name: str
    project_id: str
    visibility: str
    status: str
    min_ram: int  # MiB
    min_disk: int  # GiB
    size: int | None  # bytes
    properties: dict[str, str]
    tags: list[str]
    path: str
    created_at: str
    updated_at: str


IMAGES = Table("images", Image)
IMAGE_TABLES = (IMAGES,)
