"""Passwords and secrets at rest: scrypt with a salt each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

#: About 40 ms and 16 MiB a try on a 2020 server core.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1


def hash_secret(secret: str) -> str:
    """`scrypt$SALT$HASH`. Blocks for tens of milliseconds: call it in a thread."""
    salt = os.urandom(16)
    return f"scrypt${_text(salt)}${_text(_derive(secret, salt))}"


def verify_secret(secret: str, hashed: str) -> bool:
    """Whether `secret` is the hashed one. Blocks like hash_secret."""
    scheme, salt, expected = hashed.split("$")
    if scheme != "scrypt":
        return False
    derived = _derive(secret, base64.b64decode(salt))
    return hmac.compare_digest(derived, base64.b64decode(expected))


def digest(token: str) -> str:
    """What is stored of a token, which is random enough to need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derive(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=2**26, dklen=32
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
