"""Who calls and where: clouds.yaml or OS_* variables, a token, the service's endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vks.cli.errors import DENIED, UNAVAILABLE, CliError
from vks.cli.http import Answer, Origin
from vks.local.instance import default_directories

SERVICE_TYPE = "kubernetes"
DEFAULT_LOCAL_CLOUD = "demo"

_VARIABLES = (
    "auth_url", "username", "user_id", "password", "user_domain_name", "user_domain_id",
    "project_name", "project_id", "project_domain_name", "project_domain_id",
    "application_credential_id", "application_credential_name",
    "application_credential_secret", "token",
)  # fmt: skip


@dataclass(frozen=True)
class Account:
    """One cloud entry. Its repr hides the secrets."""

    auth: Mapping[str, str] = field(repr=False)
    region: str | None = None
    cacert: str | None = None


@dataclass(frozen=True)
class Session:
    """A scoped token and the REST API that takes it."""

    token: str = field(repr=False)
    project: str
    endpoint: str
    region: str | None
    cacert: str | None = None


def cloud_files(environ: Mapping[str, str]) -> list[Path]:
    """Where a clouds.yaml may be, as openstacksdk looks for it; then the local regions' own."""
    if named := environ.get("OS_CLIENT_CONFIG_FILE"):
        return [Path(named)]
    homes = Path(environ.get("VKS_HOME") or default_directories()[0])
    local = homes / environ.get("VKS_LOCAL_REGION", "tokyo") / "clouds.yaml"
    directories = (Path(), Path.home() / ".config/openstack", Path("/etc/openstack"))
    return [*(directory / "clouds.yaml" for directory in directories), local]


def account(environ: Mapping[str, str], cloud: str | None) -> Account:
    """The caller's credential: `--os-cloud`, OS_CLOUD, OS_* variables, the local region's demo.

    Raises CliError when there is none.
    """
    name = cloud or environ.get("OS_CLOUD")
    if not name and environ.get("OS_AUTH_URL"):
        given = {key: environ.get(f"OS_{key.upper()}", "") for key in _VARIABLES}
        auth = {key: value for key, value in given.items() if value}
        return Account(auth, environ.get("OS_REGION_NAME"), environ.get("OS_CACERT"))
    for path in cloud_files(environ):
        entry = _entry(path, name or DEFAULT_LOCAL_CLOUD)
        if entry is not None:
            return Account(entry["auth"], entry.get("region_name"), entry.get("cacert"))
    wanted = f"cloud {name!r} is in no clouds.yaml" if name else "no credential found"
    raise CliError(f"{wanted}; set OS_CLOUD, or start a local region by `vks up`", DENIED)


def _entry(path: Path, name: str) -> dict[str, Any] | None:
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise CliError(f"cannot read {path}: it belongs to another user", DENIED) from error
    import yaml

    try:
        document = yaml.safe_load(text)
        entry: dict[str, Any] | None = document["clouds"].get(name)
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise CliError(f"{path} is not a clouds.yaml", DENIED) from error
    if entry is not None and not isinstance(entry.get("auth"), dict):
        raise CliError(f"{path}: cloud {name!r} has no auth", DENIED)
    return entry


def token_request(auth: Mapping[str, str]) -> dict[str, Any]:
    """The body of Keystone's POST /v3/auth/tokens for that credential."""
    if secret := auth.get("application_credential_secret"):
        credential: dict[str, Any] = {"secret": secret}
        if identity := auth.get("application_credential_id"):
            credential["id"] = identity
        else:
            credential["name"] = auth.get("application_credential_name", "")
            credential["user"] = _user(auth)
        method: dict[str, Any] = {
            "methods": ["application_credential"], "application_credential": credential,
        }  # fmt: skip
        return {"auth": {"identity": method}}
    if token := auth.get("token"):
        method = {"methods": ["token"], "token": {"id": token}}
    else:
        user = _user(auth) | {"password": auth.get("password", "")}
        method = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": method, "scope": {"project": _project(auth)}}}


def _user(auth: Mapping[str, str]) -> dict[str, Any]:
    if identity := auth.get("user_id"):
        return {"id": identity}
    return {"name": auth.get("username", ""), "domain": _domain(auth, "user")}


def _project(auth: Mapping[str, str]) -> dict[str, Any]:
    if identity := auth.get("project_id"):
        return {"id": identity}
    return {"name": auth.get("project_name", ""), "domain": _domain(auth, "project")}


def _domain(auth: Mapping[str, str], of: str) -> dict[str, str]:
    if identity := auth.get(f"{of}_domain_id"):
        return {"id": identity}
    return {"name": auth.get(f"{of}_domain_name", "Default")}


def sign_in(environ: Mapping[str, str] = os.environ, cloud: str | None = None) -> Session:
    """Asks Keystone for a token and finds the REST API. Raises CliError."""
    who = account(environ, cloud)
    url = str(who.auth.get("auth_url") or "").rstrip("/")
    if not url:
        raise CliError("the credential has no auth_url", DENIED)
    url = url if url.endswith("/v3") else f"{url}/v3"
    answer = Origin(url, who.cacert).call(
        "POST", "/auth/tokens", {"Accept": "application/json"}, token_request(who.auth)
    )
    if answer.status != 201:
        raise _refused(answer, url)
    token = answer.json()["token"]
    if "project" not in token:
        raise CliError("the credential is not for a project; set project_name", DENIED)
    endpoint = environ.get("VKS_ENDPOINT") or _endpoint(token.get("catalog", []), who.region)
    return Session(
        token=answer.headers["X-Subject-Token"],
        project=token["project"]["name"],
        endpoint=endpoint.rstrip("/").removesuffix("/v1"),
        region=who.region,
        cacert=who.cacert,
    )


def _endpoint(catalog: list[dict[str, Any]], region: str | None) -> str:
    for service in catalog:
        if service["type"] != SERVICE_TYPE:
            continue
        for endpoint in service["endpoints"]:
            fits = region in (None, endpoint.get("region_id"), endpoint.get("region"))
            if endpoint["interface"] == "public" and fits:
                return str(endpoint["url"])
    raise CliError(
        f"the cloud's catalog has no {SERVICE_TYPE} service; set VKS_ENDPOINT", UNAVAILABLE
    )


def _refused(answer: Answer, url: str) -> CliError:
    if answer.status == 401:
        return CliError(f"{url} refuses the credential (user, password or project)", DENIED)
    return CliError(f"{url} answers {answer.status} to the sign-in", UNAVAILABLE)
