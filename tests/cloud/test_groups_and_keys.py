"""Server groups with anti-affinity, and keypairs."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.cloud.steps import Steps
from tests.support.clouds import Json, Project, error, ok, unique

NOWHERE = "00000000-0000-4000-8000-000000000000"


def group(steps: Steps, policy: str = "anti-affinity") -> Json:
    body = {"server_group": {"name": unique("group"), "policy": policy}}
    made: Json = ok(steps.api.compute.at("2.64").post("/os-server-groups", body))["server_group"]
    return made


def show_group(steps: Steps, group_id: str) -> Json:
    found = ok(steps.api.compute.at("2.64").get(f"/os-server-groups/{group_id}"))
    shown: Json = found["server_group"]
    return shown


def test_anti_affinity_puts_servers_on_different_hosts(steps: Steps) -> None:
    network, _ = steps.network()
    made = group(steps)
    net, hints = [{"uuid": network["id"]}], {"group": made["id"]}
    servers = [steps.server(net, hints=hints) for _ in range(3)]
    assert len({server["hostId"] for server in servers}) == 3
    assert all(server["server_groups"] == [made["id"]] for server in servers)
    assert set(show_group(steps, made["id"])["members"]) == {server["id"] for server in servers}


def test_a_server_that_no_host_may_have_ends_in_error(steps: Steps) -> None:
    """Accepted with 202 and refused by the scheduler later: the fault says why."""
    network, _ = steps.network()
    net, hints = [{"uuid": network["id"]}], {"group": group(steps)["id"]}
    steps.server(net, hints=hints, availability_zone="tokyo-1")
    accepted = ok(steps.ask_server(net, hints=hints, availability_zone="tokyo-1"), 202)["server"]
    failed = steps.settled(accepted["id"])
    assert failed["status"] == "ERROR"
    assert failed["OS-EXT-STS:vm_state"] == "error"
    assert failed["fault"]["code"] == 500
    assert failed["fault"]["message"] == (
        "No valid host was found. There are not enough hosts available."
    )
    assert failed["addresses"] == {}
    steps.delete_server(failed["id"])


def test_a_port_of_a_server_in_error_is_free(steps: Steps) -> None:
    network, _ = steps.network()
    hints = {"group": group(steps)["id"]}
    steps.server([{"uuid": network["id"]}], hints=hints, availability_zone="tokyo-1")
    port = steps.port(network["id"])
    answer = steps.ask_server([{"port": port["id"]}], hints=hints, availability_zone="tokyo-1")
    failed = steps.settled(ok(answer, 202)["server"]["id"])
    assert failed["status"] == "ERROR"
    steps.delete_server(failed["id"])
    after = steps.get_port(port["id"])
    assert (after["status"], after["device_id"], after["device_owner"]) == ("DOWN", "", "")


def test_a_deleted_server_leaves_its_group(steps: Steps) -> None:
    network, _ = steps.network()
    made = group(steps)
    net, hints = [{"uuid": network["id"]}], {"group": made["id"]}
    steps.delete_server(steps.server(net, hints=hints, availability_zone="tokyo-2")["id"])
    assert show_group(steps, made["id"])["members"] == []
    steps.server(net, hints=hints, availability_zone="tokyo-2")


def test_unknown_and_foreign_groups_look_the_same(steps: Steps, other: Project) -> None:
    foreign = group(Steps(steps.cloud, other.member))["id"]
    network, _ = steps.network()
    for unknown in (foreign, NOWHERE):
        refused = error(steps.ask_server([{"uuid": network["id"]}], hints={"group": unknown}), 400)
        assert refused["message"] == f"Instance group {unknown} could not be found."
        refused = error(steps.api.compute.get(f"/os-server-groups/{unknown}"), 404)
        assert refused["message"] == f"Instance group {unknown} could not be found."


def test_a_group_is_deleted_once(steps: Steps) -> None:
    made = group(steps)
    path = f"/os-server-groups/{made['id']}"
    ok(steps.api.compute.delete(path), 204)
    assert error(steps.api.compute.delete(path), 404)["code"] == 404


def test_an_unknown_policy_is_a_bad_request(steps: Steps) -> None:
    body = {"server_group": {"name": "g", "policy": "sympathy"}}
    refused = error(steps.api.compute.at("2.64").post("/os-server-groups", body), 400)
    assert "Invalid input for field/attribute policy" in refused["message"]


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " somebody"


def test_a_keypair_is_imported_once(steps: Steps) -> None:
    compute, name, key = steps.api.compute, unique("key"), public_key()
    body = {"keypair": {"name": name, "public_key": key}}
    made = ok(compute.post("/os-keypairs", body))["keypair"]
    assert made["public_key"] == key
    assert made["fingerprint"].count(":") == 15
    refused = error(compute.post("/os-keypairs", body), 409)
    assert refused == {"code": 409, "message": f"Key pair '{name}' already exists."}
    assert compute.delete(f"/os-keypairs/{name}").status_code == 202
    missing = error(compute.get(f"/os-keypairs/{name}"), 404)
    user = steps.api.credential.user_id
    assert missing["message"] == f"Keypair {name} not found for user {user}"


def test_a_keypair_is_named_by_its_server(steps: Steps) -> None:
    name = unique("key")
    body = {"keypair": {"name": name, "public_key": public_key()}}
    ok(steps.api.compute.post("/os-keypairs", body))
    network, _ = steps.network()
    assert steps.server([{"uuid": network["id"]}], key_name=name)["key_name"] == name


def test_nonsense_is_no_public_key(steps: Steps) -> None:
    body = {"keypair": {"name": unique("key"), "public_key": "nonsense"}}
    refused = error(steps.api.compute.post("/os-keypairs", body), 400)
    assert refused["message"] == "Keypair data is invalid: failed to generate fingerprint"


def test_flavors_say_what_they_are(steps: Steps) -> None:
    flavors = ok(steps.api.compute.get("/flavors/detail"))["flavors"]
    assert {flavor["name"] for flavor in flavors} == set(steps.cloud.flavors)
    small = next(flavor for flavor in flavors if flavor["name"] == steps.cloud.flavors[0])
    assert (small["vcpus"], small["ram"], small["disk"]) == (2, 2048, 20)
    refused = error(steps.api.compute.get("/flavors/nope"), 404)
    assert refused["message"] == "Flavor nope could not be found."


def test_images_are_listed_by_name(steps: Steps) -> None:
    listed = ok(steps.api.image.get(f"/v2/images?name={steps.cloud.image}"))
    (image,) = listed["images"]
    assert image["status"] == "active"
    assert image["visibility"] == "public"
    assert steps.api.image.get(f"/v2/images/{NOWHERE}").status_code == 404
