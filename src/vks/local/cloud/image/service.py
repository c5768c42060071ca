"""The image service: list and show."""

from __future__ import annotations

import html

from vks.local.cloud.http.call import Access, Call, Json, Reply
from vks.local.cloud.http.errors import ApiError, bad_request, forbidden, not_found
from vks.local.cloud.http.router import Route, Service
from vks.local.cloud.image.tables import IMAGES, Image


def _view(image: Image) -> Json:
    return {
        **image.properties,
        "id": image.id,
        "name": image.name,
        "owner": image.project_id,
        "visibility": image.visibility,
        "status": image.status,
        "protected": False,
        "os_hidden": False,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "size": image.size,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "container_format": "bare",
        "disk_format": "raw",
        "tags": image.tags,
        "created_at": image.created_at,
        "updated_at": image.updated_at,
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }


def _visible(call: Call, image: Image) -> bool:
    own = image.project_id == call.caller.project
    return call.caller.is_admin or own or image.visibility in ("public", "community")


_CONTROL = ("limit", "marker", "sort_key", "sort_dir", "sort", "tag", "member_status")


def _matches(call: Call, image: Image) -> bool:
    view = _view(image)
    if any(tag not in image.tags for tag in call.query.getall("tag", [])):
        return False
    for name in set(call.query.keys()) - set(_CONTROL):
        wanted = call.query[name]
        if name == "visibility" and wanted == "all":
            continue
        allowed = wanted[3:].split(",") if wanted.startswith("in:") else [wanted]
        actual = view.get(name)
        text = str(actual).lower() if isinstance(actual, bool) else str(actual)
        if text not in allowed:
            return False
    return True


def list_images(call: Call) -> Reply:
    rows = [row for row in IMAGES.find(call.db, order="created_at DESC, id") if _visible(call, row)]
    rows = [row for row in rows if _matches(call, row)]
    limit_text = call.query.get("limit", "25")
    if not limit_text.isdigit():
        raise bad_request("limit param must be an integer")
    start, limit = 0, int(limit_text)
    marker = call.query.get("marker")
    if marker is not None:
        ids = [row.id for row in rows]
        if marker not in ids:
            raise bad_request(f"Invalid marker {marker}.")
        start = ids.index(marker) + 1
    chosen = rows[start : start + limit]
    body: Json = {
        "images": [_view(row) for row in chosen],
        "first": "/v2/images",
        "schema": "/v2/schemas/images",
    }
    if chosen and start + limit < len(rows):
        body["next"] = f"/v2/images?marker={chosen[-1].id}&limit={limit}"
    return Reply(body=body)


def show_image(call: Call) -> Reply:
    image_id = call.params["image_id"]
    image = IMAGES.get(call.db, id=image_id)
    if image is None or not _visible(call, image):
        raise not_found(f"No image found with ID {image_id}")
    return Reply(body=_view(image))


def list_versions(call: Call) -> Reply:
    links = [{"rel": "self", "href": f"{call.base_url}/image/v2/"}]
    versions = [
        {"id": "v2.16", "status": "CURRENT", "links": links},
        {"id": "v2.0", "status": "SUPPORTED", "links": links},
    ]
    return Reply(300, {"versions": versions})


def _render(error: ApiError) -> Json | str:
    """Glance answers in HTML, as webob does by itself."""
    if error.status == 401:
        return {"error": {"code": 401, "title": error.title, "message": error.message}}
    title = f"{error.status} {error.title}"
    return (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  "
        f"{html.escape(error.message)}<br /><br />\n\n\n </body>\n</html>"
    )


def _forbid(action: str) -> ApiError:
    return forbidden(f"You are not authorized to complete {action} action.")


IMAGE = Service(
    name="image",
    prefix="/image",
    routes=[
        Route("GET", "", list_versions, Access.PUBLIC),
        Route("GET", "/versions", list_versions, Access.PUBLIC),
        Route("GET", "/v2/images", list_images),
        Route("GET", "/v2/images/{image_id}", show_image),
    ],
    render=_render,
    forbid=_forbid,
)
