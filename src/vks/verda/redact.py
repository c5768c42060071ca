"""Takes secrets out of text that leaves the process: errors, logs, conditions, console tails."""

from __future__ import annotations

import re

HIDDEN = "[redacted]"

_PATTERNS = (
    # PEM blocks that are not certificates or public keys, complete or cut off
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    # kubeadm bootstrap tokens
    re.compile(r"(?<![a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9.])"),
    # Fernet tokens (Keystone)
    re.compile(r"gAAAA[A-Za-z0-9_=-]{20,}"),
    # JSON web tokens (service accounts)
    re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?"),
    # user data and keys: long unbroken base64
    re.compile(r"[A-Za-z0-9+/]{120,}={0,2}"),
)

#: `--certificate-key VALUE`, `password: VALUE`, `"secret": "VALUE"`, `X-Auth-Token: VALUE` …
_NAMED = re.compile(
    r"(?P<name>(?:certificate[-_ ]?key|password|passwd|secret|x-auth-token|x-subject-token"
    r"|(?<![-\w])token|private[-_]key)[\"']?\s*(?:=>|[:=\s])\s*[\"']?)(?P<value>[^\s\"',}]{6,})",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """`text` with everything replaced that looks like a credential."""
    for pattern in _PATTERNS:
        text = pattern.sub(HIDDEN, text)
    return _NAMED.sub(lambda match: match["name"] + HIDDEN, text)
