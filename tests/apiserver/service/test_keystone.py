"""Tokens and offers of a real cloud process, not of a table."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.cloud.clouds_local import run_local
from tests.support.clouds import Cloud, Project
from tests.support.openstack.layout import REGION, ZONES

from vks.service.api.auth import KeystoneIdentity
from vks.service.api.offer import read_offer
from vks.service.api.problems import Problem
from vks.service.config import CloudAccess, Config, RegionConfig
from vks.verda.transport import thread_pool


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with run_local() as cloud:
        yield cloud


@pytest.fixture
def project(cloud: Cloud) -> Project:
    return cloud.new_project()


@pytest.fixture
def identity(cloud: Cloud) -> Iterator[KeystoneIdentity]:
    region = RegionConfig(
        name=REGION,
        zones=tuple(ZONES),
        kubeconfig="unused",
        identity_url=cloud.auth_url,
        cloud=CloudAccess(clouds_yaml="unused", cloud="unused"),
    )
    pool = thread_pool()
    yield KeystoneIdentity(Config(regions=(region,)), pool)
    pool.shutdown(wait=False)


def token_of(project: Project) -> str:
    token: str | None = project.member.session.get_token()
    assert token is not None
    return token


async def test_a_token_tells_who_calls_in_which_project(
    identity: KeystoneIdentity, project: Project
) -> None:
    caller = await identity.authenticate(token_of(project))
    assert caller.project_id == project.member.credential.project_id
    assert caller.user_name == project.member.credential.username
    assert caller.may_write


async def test_the_offer_is_what_the_project_sees(
    identity: KeystoneIdentity, project: Project
) -> None:
    caller = await identity.authenticate(token_of(project))
    offer = await read_offer(caller.clouds[REGION], tuple(ZONES))
    assert offer.flavors
    assert offer.images
    assert offer.pool_ranges
    assert offer.quotas["instances"].limit != 0
    assert offer.quotas["ports"].limit > 0


@pytest.mark.parametrize("token", ["unknown", "ünknown", "x" * 5000, "a\nb"])
async def test_a_token_that_keystone_does_not_know_is_refused(
    identity: KeystoneIdentity, token: str
) -> None:
    with pytest.raises(Problem) as refused:
        await identity.authenticate(token)
    assert refused.value.status == 401


async def test_a_revoked_token_is_refused_once_it_is_no_longer_believed(
    identity: KeystoneIdentity,
    project: Project,
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vks.service.api.auth.TRUSTED", 0.0)
    token = token_of(project)
    await identity.authenticate(token)
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    url = f"{cloud.auth_url}/auth/tokens"
    async with httpx.AsyncClient() as keystone:
        assert (await keystone.delete(url, headers=headers)).status_code == 204
    with pytest.raises(Problem) as refused:
        await identity.authenticate(token)
    assert refused.value.status == 401
