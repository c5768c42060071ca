"""Proves that cluster-info is signed for tokens: a node whose token it is not signed for hangs."""

from __future__ import annotations

import secrets
import string
from datetime import timedelta

from vks.kube.errors import NotFound
from vks.kube.times import rfc3339
from vks.migration.run.scope import FIELD_MANAGER, Scope
from vks.resources.core import ConfigMap, Secret
from vks.runtime.result import Waiting

_SYSTEM, _PUBLIC, _INFO = "kube-system", "kube-public", "cluster-info"
#: Of cluster-info, once a signature was seen.
SIGNED = "vks.verda/signed"
#: Of the token that is only there to be signed for. It lets nobody in.
_TOKEN_LABEL = "vks.verda/signing-check"  # noqa: S105 - a label
_ALPHABET = string.ascii_lowercase + string.digits
_LIFETIME = timedelta(minutes=10)
POLL = 1.0


class Signing:
    name = "Signing"

    async def do(self, scope: Scope) -> None:
        workload = await scope.workload()
        info = await workload.get(ConfigMap, _INFO, _PUBLIC)
        tokens = (await workload.list(Secret, _SYSTEM, label_selector=_TOKEN_LABEL)).items
        ids = [token.metadata.name.removeprefix("bootstrap-token-") for token in tokens]
        if any(f"jws-kubeconfig-{id_}" in info.data for id_ in ids):
            patch = {"metadata": {"annotations": {SIGNED: rfc3339(scope.clock.now())}}}
            await workload.merge_patch(
                ConfigMap, _INFO, _PUBLIC, patch, field_manager=FIELD_MANAGER
            )
        elif SIGNED not in info.metadata.annotations:
            if not tokens:
                await workload.create(Secret, self._token(scope), field_manager=FIELD_MANAGER)
            raise Waiting("NotSigned", "no controller manager has signed cluster-info yet", POLL)
        await self.undo(scope)

    async def undo(self, scope: Scope) -> None:
        workload = await scope.workload()
        found = await workload.list(Secret, _SYSTEM, label_selector=_TOKEN_LABEL)
        for token in found.items:
            try:
                await workload.delete(Secret, token.metadata.name, _SYSTEM, uid=token.metadata.uid)
            except NotFound:
                continue

    @staticmethod
    def _token(scope: Scope) -> dict[str, object]:
        """The tokencleaner takes it away when nobody else does."""
        id_, secret = (
            "".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in (6, 16)
        )
        return {
            "metadata": {
                "name": f"bootstrap-token-{id_}",
                "namespace": _SYSTEM,
                "labels": {_TOKEN_LABEL: ""},
            },
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": id_,
                "token-secret": secret,
                "expiration": rfc3339(scope.clock.now() + _LIFETIME),
                "usage-bootstrap-signing": "true",
            },
        }
