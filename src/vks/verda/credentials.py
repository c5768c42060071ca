"""Where the cloud is and who calls: `clouds.yaml`, an application credential, a password, a token.

Only keystoneauth1 is used of the OpenStack libraries. Measured on Python 3.11: importing it next
to aiohttp and msgspec costs 9 MB and 0.2 s, openstacksdk 16-20 MB and 0.7 s more per process, and
the controllers share 150 MB. The price is this reading of `clouds.yaml`: profiles (`vendors`),
`secure.yaml` and `OS_*` variables are not supported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin

DEFAULT_CLOUD = "verda"

_APPLICATION_CREDENTIAL = (
    "auth_url",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "user_id",
    "username",
    "user_domain_id",
    "user_domain_name",
)
_SCOPE = (
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
)
_USER = ("user_id", "username", "password", "user_domain_id", "user_domain_name")


class InvalidCredentialsError(ValueError):
    """The text is not a usable `clouds.yaml`. The message never quotes a value."""


class CloudConfig(msgspec.Struct, frozen=True):
    """One entry of `clouds.yaml`. Compares by value; its repr hides `auth`."""

    auth: dict[str, str]
    auth_type: str = "password"
    region_name: str | None = None
    interface: str = "public"
    verify: bool = True
    cacert: str | None = None  # path of a CA bundle

    def __repr__(self) -> str:
        return f"CloudConfig({self.auth.get('auth_url', '')}, {self.auth_type}, {self.region_name})"

    @property
    def auth_url(self) -> str:
        return self.auth["auth_url"]

    @classmethod
    def from_yaml(cls, text: str | bytes, cloud: str = DEFAULT_CLOUD) -> CloudConfig:
        """Read one cloud out of a `clouds.yaml`. Raises InvalidCredentialsError."""
        try:
            document = yaml.safe_load(text)
            entry = document["clouds"][cloud]
            config = msgspec.convert(_normalised(entry), cls)
        except yaml.YAMLError:
            raise InvalidCredentialsError("clouds.yaml is not YAML") from None
        except (KeyError, TypeError):
            raise InvalidCredentialsError(f"clouds.yaml has no cloud {cloud!r}") from None
        except msgspec.ValidationError as error:
            raise InvalidCredentialsError(f"clouds.yaml, cloud {cloud!r}: {error}") from None
        if not config.auth.get("auth_url"):
            raise InvalidCredentialsError(f"clouds.yaml, cloud {cloud!r}: auth.auth_url is missing")
        return config

    @classmethod
    def from_file(cls, path: str | Path, cloud: str = DEFAULT_CLOUD) -> CloudConfig:
        return cls.from_yaml(Path(path).read_bytes(), cloud)

    def plugin(self) -> BaseIdentityPlugin:
        """The keystoneauth plugin that gets and renews tokens. Raises InvalidCredentialsError."""
        match self.auth_type.removeprefix("v3"):
            case "password":
                return v3.Password(**self._take("auth_url", *_USER, *_SCOPE))
            case "applicationcredential":
                return v3.ApplicationCredential(**self._take(*_APPLICATION_CREDENTIAL))
            case "token":
                return v3.Token(**self._take("auth_url", "token", *_SCOPE))
            case other:
                raise InvalidCredentialsError(f"auth_type {other!r} is not supported")

    def _take(self, *names: str) -> dict[str, Any]:
        return {name: self.auth[name] for name in names if name in self.auth}


def _normalised(entry: dict[str, Any]) -> dict[str, Any]:
    """openstacksdk's reading: `regions` beside `region_name`, scalars that are not strings."""
    auth = {str(name): str(value) for name, value in entry["auth"].items() if value is not None}
    if "region_name" not in entry and entry.get("regions"):
        first = entry["regions"][0]
        entry = {**entry, "region_name": first["name"] if isinstance(first, dict) else first}
    wanted = {name: entry[name] for name in CloudConfig.__struct_fields__ if name in entry}
    return {**wanted, "auth": auth}
