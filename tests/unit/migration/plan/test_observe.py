"""What certificates say, as a plan reads them."""

from __future__ import annotations

from vks.legacy import pki
from vks.legacy.plan.certificates import Wanted
from vks.legacy.server.legacynode.status import running_flags
from vks.migration.plan.observe import authority, server_names

CA = pki.new_authority("kube-ca")
OTHER = pki.new_authority("other")


def test_an_authority_is_known_with_its_own_key_only() -> None:
    certificate = CA.certificate.encode()
    own = authority("kube-ca", certificate, CA.key.encode())
    assert (own.has_key, own.key_fits) == (True, True)
    assert own.not_after is not None
    lost = authority("kube-ca", certificate, None)
    assert (lost.has_key, lost.key_fits) == (False, False)
    mixed = authority("kube-ca", certificate, OTHER.key.encode())
    assert (mixed.has_key, mixed.key_fits) == (True, False)


def test_names_and_addresses_of_a_server_are_read() -> None:
    pair = pki.issue(CA, Wanted(common_name="api", names=("kubernetes", "10.0.0.1")))
    assert server_names(pair.certificate.encode()) == ("kubernetes", "10.0.0.1")


def test_command_lines_become_flags_by_component() -> None:
    lines = {"legacy-etcd": ["/opt/etcd", "--name=etcd-a", "--client-cert-auth", "--x=a=b"]}
    flags = {"--name": "etcd-a", "--client-cert-auth": "", "--x": "a=b"}
    assert running_flags(lines) == {"etcd": flags}
