"""What a server boots from: of Nova's block device mappings, those that boot from an image.

There is no volume service; a root volume is the server's own disk, made with the size that the
request names and gone with the server (Nova's `delete_on_termination`).
"""

from __future__ import annotations

from typing import NamedTuple

from vks.local.cloud.compute.tables import VOLUMES, Volume
from vks.local.cloud.core.database import Database
from vks.local.cloud.http.call import Call, Json
from vks.local.cloud.http.errors import bad_request
from vks.local.cloud.image.tables import Image

_GIB = 2**30


_WORD: Json = {"type": ["string", "null"], "maxLength": 255}


def block_device(call: Call) -> Json:
    """The schema of one entry of `block_device_mapping_v2`. What says how a virtual machine sees
    its disk is accepted and has no meaning here."""
    more = {"volume_type": _WORD} if call.at_least(67) else {}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$"},
            "uuid": {"type": "string", "minLength": 1, "maxLength": 255},
            "source_type": {"enum": ["volume", "image", "snapshot", "blank"]},
            "destination_type": {"enum": ["local", "volume"]},
            "volume_size": {"type": ["integer", "string"], "minimum": 1, "pattern": "^[0-9]+$"},
            "delete_on_termination": {"type": ["boolean", "string"]},
            **dict.fromkeys(("device_name", "device_type", "disk_bus", "guest_format"), _WORD),
            **more,
        },
    }


class Boot(NamedTuple):
    """An image, and the size in GiB of the volume that it is copied to; None: the local disk."""

    image_id: str
    volume: int | None = None


def boot_of(server: Json) -> Boot:
    """What a request for a server boots from. ApiError 400 for what is not offered."""
    image_id = server.get("imageRef") or ""
    devices = server.get("block_device_mapping_v2") or []
    if not devices:
        if not image_id:
            raise bad_request("Block Device Mapping is Invalid: no image given to boot from.")
        return Boot(image_id)
    root = devices[0]
    if len(devices) > 1 or str(root.get("boot_index")) != "0":
        raise bad_request(
            "Block Device Mapping is Invalid: Boot sequence for the instance and image/block "
            "device mapping combination is not valid."
        )
    source, destination = root.get("source_type"), root.get("destination_type", "local")
    if source != "image" or image_id not in ("", root.get("uuid")):
        raise bad_request("Block Device Mapping is Invalid: only images can be booted from here.")
    if destination == "local":
        return Boot(root["uuid"])
    if "volume_size" not in root:
        raise bad_request(
            "Images with destination_type 'volume' need to have a non-zero size specified"
        )
    return Boot(root["uuid"], int(root["volume_size"]))


def check_size(volume: int | None, image: Image) -> None:
    """Raises ApiError when the image does not fit."""
    if volume is not None and volume < image.min_disk:
        raise bad_request(
            "Volume is smaller than the minimum size specified in image metadata. Volume size is "
            f"{volume * _GIB} bytes, minimum size is {image.min_disk * _GIB} bytes."
        )


def volume_of(db: Database, server_id: str) -> Volume | None:
    return VOLUMES.get(db, server_id=server_id)


def attached(call: Call, volume: Volume | None) -> list[Json]:
    """`os-extended-volumes:volumes_attached`."""
    if volume is None:
        return []
    more = {"delete_on_termination": True} if call.at_least(3) else {}
    return [{"id": volume.id, **more}]
