"""The `clouds.yaml` of one project: the service user, scoped to it."""

from __future__ import annotations

import yaml

from vks.resources.project import CLOUD_NAME
from vks.verda.credentials import CloudConfig, InvalidCredentialsError

_USER = ("username", "user_id", "password", "user_domain_name", "user_domain_id")


def project_clouds_yaml(service: CloudConfig, project_id: str) -> str:
    """Raises InvalidCredentialsError when the credential cannot be scoped to a project."""
    if service.auth_type.removeprefix("v3") != "password":
        raise InvalidCredentialsError(
            "the service user needs a user name and a password: "
            f"{service.auth_type!r} cannot be scoped to another project"
        )
    auth = {name: service.auth[name] for name in ("auth_url", *_USER) if name in service.auth}
    entry = {
        "auth_type": "password",
        "auth": {**auth, "project_id": project_id},
        "interface": service.interface,
        "verify": service.verify,
    }
    optional = {"region_name": service.region_name, "cacert": service.cacert}
    entry |= {name: value for name, value in optional.items() if value is not None}
    return yaml.safe_dump({"clouds": {CLOUD_NAME: entry}}, sort_keys=True)
