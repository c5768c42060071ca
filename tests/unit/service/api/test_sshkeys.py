"""Which keys are accepted, and what is left of them."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.service import SSH_KEY

from vks.resources.fields import SshPublicKey
from vks.service.api.sshkeys import public_key
from vks.verda.compute import Keypair

MARKERS = "{{ ds.meta_data.uuid }} '\"- &a: {% raw %} # ü"


def pair(text: str, type_: str = "ssh") -> Keypair:
    return Keypair(name="mine", public_key=text, type=type_)


def openssh(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize(
    "text",
    [
        openssh(Ed25519PrivateKey.generate()),
        openssh(rsa.generate_private_key(65537, 2048)),
        *(
            openssh(ec.generate_private_key(curve))
            for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
        ),
    ],
    ids=lambda text: text.partition(" ")[0],
)
def test_a_key_travels_without_its_comment(text: str) -> None:
    for comment in ("", " somebody", f"  {MARKERS}", "\n", " x\r\n"):
        assert public_key(pair(text + comment)) == text
    assert msgspec.convert(text, SshPublicKey) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{SSH_KEY}\n{SSH_KEY}", "not a single line"),
        ("", "not a single line"),
        (f'command="reboot" {SSH_KEY}', "type that is not accepted"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACB", "type that is not accepted"),
        (SSH_KEY.replace("ssh-ed25519", "ssh-rsa"), "does not hold an ssh-rsa key"),
        ("ssh-ed25519", "does not hold"),
        ("ssh-ed25519 {{x}}", "does not hold"),
        (f"{SSH_KEY}{'A' * 1600}", "at most 1404"),
    ],
)
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        public_key(pair(text))


def test_a_certificate_for_windows_is_no_ssh_key() -> None:
    with pytest.raises(ValueError, match="is of type x509"):
        public_key(pair(SSH_KEY, "x509"))
