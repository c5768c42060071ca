"""The cloud client on a cloud that answers as it is: local Verda and real OpenStack."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from tests.support.clouds import Cloud as CloudUnderTest
from tests.support.clouds import Project

from vks.verda.cloud import Cloud
from vks.verda.compute import ServerRequest
from vks.verda.credentials import CloudConfig
from vks.verda.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded, Unauthorized
from vks.verda.network import PortRequest, Route, Rule
from vks.verda.transport import thread_pool


@pytest.fixture
async def verda(project: Project) -> AsyncIterator[Cloud]:
    entry = project.member.credential.clouds_yaml_entry()
    text = json.dumps({"clouds": {"verda": entry}})  # JSON is YAML
    async with Cloud(CloudConfig.from_yaml(text)) as cloud:
        yield cloud


def owner() -> str:
    return str(uuid.uuid4())


async def settled(verda: Cloud, server_id: str) -> str:
    """The server's status once Nova has finished with it."""
    for _ in range(240):
        server = await verda.compute.find_server(server_id)
        if server is None or server.status not in ("BUILD",):
            return "GONE" if server is None else server.status
        await asyncio.sleep(0.25)
    raise TimeoutError(server_id)


async def gone(verda: Cloud, server_id: str) -> None:
    for _ in range(240):
        if await verda.compute.find_server(server_id) is None:
            return
        await asyncio.sleep(0.25)
    raise TimeoutError(server_id)


async def make_port(verda: Cloud, who: str, cidr: str = "192.0.2.0/24") -> tuple[str, str, str]:
    network = await verda.network.create_network(who, "n")
    subnet = await verda.network.create_subnet(who, "s", network.id, cidr)
    port = await verda.network.create_port(
        who, PortRequest("p", network.id, subnet.id, allowed_cidrs=("10.244.0.0/16",))
    )
    return network.id, subnet.id, port.id


async def request(verda: Cloud, under_test: CloudUnderTest, port_id: str) -> ServerRequest:
    flavors = {flavor.name: flavor.id for flavor in await verda.compute.flavors()}
    images = await verda.image.images(name=under_test.image)
    return ServerRequest(
        name="demo-cp-0",
        flavor_id=flavors[under_test.flavors[0]],
        image_id=images[0].id,
        port_ids=(port_id,),
        user_data=b"#cloud-config\n",
        zone=under_test.zones[1],
        metadata={"vks.cluster": "p-test/demo"},
    )


async def test_a_server_is_made_once_however_often_it_is_asked_for(
    verda: Cloud, cloud: CloudUnderTest
) -> None:
    who = owner()
    _, _, port_id = await make_port(verda, who)
    wanted = await request(verda, cloud, port_id)
    ids = await asyncio.gather(*(verda.compute.create_server(who, wanted) for _ in range(5)))
    again = await verda.compute.create_server(who, wanted)
    assert {again} == set(ids)
    assert await settled(verda, again) == "ACTIVE"
    (server,) = await verda.compute.servers_of(who)
    assert (server.zone, server.owner) == (cloud.zones[1], who)
    assert server.metadata["vks.owner"] == who
    assert len(server.ips) == 1
    await verda.compute.delete_server(again)
    await gone(verda, again)
    assert await verda.compute.delete_server(again) is False
    assert (await verda.network.port(port_id)).device_id == ""


async def test_what_belongs_to_an_owner_is_found_by_its_marker(verda: Cloud) -> None:
    who, other = owner(), owner()
    network_id, _, port_id = await make_port(verda, who)
    await make_port(verda, other, "198.51.100.0/24")
    assert [network.id for network in await verda.network.networks_of(who)] == [network_id]
    assert [port.id for port in await verda.network.ports_of(who)] == [port_id]
    assert await verda.network.ports_of(owner()) == []


async def test_security_group_rules_may_be_asked_for_twice(verda: Cloud) -> None:
    group = await verda.network.create_security_group(owner(), "g")
    for _ in range(2):
        await verda.network.allow(group.id, Rule(remote_group_id=group.id))
        await verda.network.allow(group.id, Rule("tcp", 6443, remote_cidr="0.0.0.0/0"))
    assert await verda.network.delete_security_group(group.id) is True


async def test_a_router_gets_each_pod_route_once(verda: Cloud) -> None:
    who = owner()
    _, subnet_id, _ = await make_port(verda, who)
    router = await verda.network.create_router(who, "r")
    for _ in range(2):
        await verda.network.add_router_interface(router.id, subnet_id)
    route = Route("10.244.1.0/24", "192.0.2.200")
    for _ in range(2):
        await verda.network.add_routes(router.id, [route])
    assert (await verda.network.router(router.id)).routes == (route,)
    for _ in range(2):
        await verda.network.remove_routes(router.id, [route])
    for _ in range(2):
        await verda.network.remove_router_interface(router.id, subnet_id)
    assert await verda.network.delete_router(router.id) is True


async def test_server_groups_are_found_by_their_owner_in_the_name(verda: Cloud) -> None:
    who = owner()
    first = await verda.compute.create_server_group(who, "cp", "soft-anti-affinity")
    second = await verda.compute.create_server_group(who, "cp", "soft-anti-affinity")
    assert first.id == second.id
    assert await verda.compute.delete_server_group(first.id) is True
    assert await verda.compute.delete_server_group(first.id) is False


async def test_refusals_come_as_errors_of_the_domain(verda: Cloud) -> None:
    with pytest.raises(NotFound):
        await verda.compute.server(str(uuid.uuid4()))
    with pytest.raises(NotFound):
        await verda.network.network(str(uuid.uuid4()))
    who = owner()
    network_id, subnet_id, port_id = await make_port(verda, who)
    taken = (await verda.network.port(port_id)).ip
    with pytest.raises(Conflict):
        await verda.network.create_port(
            owner(), PortRequest("q", network_id, subnet_id, ip_address=taken)
        )
    with pytest.raises(Conflict):
        await verda.network.delete_network(network_id)
    with pytest.raises(InvalidRequest):
        await verda.network.create_subnet(owner(), "s", network_id, "not-a-range")


async def test_an_exceeded_quota_names_what_is_missing(
    verda: Cloud, cloud: CloudUnderTest, project: Project
) -> None:
    who = owner()
    network_id, subnet_id, _ = await make_port(verda, who)
    quota = {"quota": {"port": 1}}
    path = f"/v2.0/quotas/{project.id}"
    assert cloud.admin.network.put(path, quota).status_code == 200
    with pytest.raises(QuotaExceeded) as refused:
        await verda.network.create_port(owner(), PortRequest("q", network_id, subnet_id))
    assert "port" in refused.value.what


async def test_a_callers_own_token_is_vouched_for_and_acts_as_the_caller(project: Project) -> None:
    credential = project.member.credential
    session = project.member.session
    token = str(session.get_token())
    pool = thread_pool(2)
    acting, info = await Cloud.from_token(
        credential.auth_url, token, pool, region_name=credential.region
    )
    async with acting:
        assert (info.project_id, info.user_id) == (credential.project_id, credential.user_id)
        assert await acting.compute.flavors()
        assert await acting.network.networks_of(owner()) == []
    with pytest.raises(Unauthorized):
        await Cloud.from_token(credential.auth_url, "gAAAAAwrong", pool)
    pool.shutdown()


async def test_a_wrong_password_is_unauthorized(project: Project) -> None:
    entry = project.member.credential.clouds_yaml_entry()
    entry = {**entry, "auth": {**entry["auth"], "password": "wrong-password"}}
    async with Cloud(CloudConfig.from_yaml(json.dumps({"clouds": {"verda": entry}}))) as cloud:
        with pytest.raises(Unauthorized) as refused:
            await cloud.compute.flavors()
    assert "wrong-password" not in str(refused.value)
