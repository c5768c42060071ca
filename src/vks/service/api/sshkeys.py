"""The public key of a key pair of Nova's, as it goes into specs and from there into user data."""

from __future__ import annotations

import base64
import binascii

from vks.resources.fields import MAX_SSH_KEY, SSH_KEY_TYPES
from vks.verda.compute import Keypair


def public_key(pair: Keypair) -> str:
    """`TYPE BASE64`. The comment, in which anything may stand, is left behind.

    Raises ValueError, whose text completes "the key pair …".
    """
    if pair.type != "ssh":
        raise ValueError(f"is of type {pair.type}: only SSH keys let anybody in")
    lines = pair.public_key.strip().splitlines()
    if len(lines) != 1:
        raise ValueError("is not a single line")
    kind, _, rest = lines[0].partition(" ")
    if kind not in SSH_KEY_TYPES:
        raise ValueError(f"is of a type that is not accepted; accepted: {', '.join(SSH_KEY_TYPES)}")
    blob = rest.strip().partition(" ")[0]
    if not _begins_with(blob, kind):
        raise ValueError(f"does not hold an {kind} key")
    key = f"{kind} {blob}"
    if len(key) > MAX_SSH_KEY:
        raise ValueError(f"has {len(key)} characters, at most {MAX_SSH_KEY} are accepted")
    return key


def _begins_with(blob: str, kind: str) -> bool:
    """Whether the key says itself of which type it is (RFC 4253, 6.6: a string, length first)."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    name = kind.encode()
    return raw.startswith(len(name).to_bytes(4, "big") + name)
