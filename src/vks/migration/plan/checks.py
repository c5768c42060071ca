"""Every reason against a migration, all at once. A check that fails names its fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec

from vks.migration.plan.facts import Facts
from vks.migration.plan.flags import COMPONENTS, drift, unknown_files

#: How long every authority has to be good: a migration, and time to think afterwards.
AUTHORITY_MARGIN = timedelta(days=30)
#: What a migration makes while it runs: a webhook about it that fails closed could stop it.
_MADE = frozenset({"*", "pods", "nodes", "secrets", "configmaps", "leases", "services"})
_LOOPBACK = ("127.0.0.1", "localhost")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`check` is stable and CamelCase; `fix` says what an operator can do about it."""

    check: str
    message: str
    fix: str


Found = Iterator[tuple[str, str]]


def findings(facts: Facts) -> list[Finding]:
    """All of them, in the order of CHECKS; empty when the cluster can be migrated."""
    return [
        Finding(check=name, message=message, fix=fix)
        for name, check in CHECKS.items()
        for message, fix in check(facts)
    ]


def _cluster_ready(facts: Facts) -> Found:
    if not facts.ready:
        yield "the cluster is not ready", "wait until it is, or repair it first"


def _nodes_ready(facts: Facts) -> Found:
    down = sorted(node.name for node in facts.nodes if not node.ready)
    if down:
        yield f"not ready: {', '.join(down)}", "repair or delete these nodes first"


def _api(facts: Facts) -> Found:
    if facts.api_failure:
        message = f"the cluster's API does not answer: {facts.api_failure}"
        yield message, "repair it, then plan again: nobody knows what is in the cluster"


def _operations(facts: Facts) -> Found:
    if facts.operations:
        yield f"under way: {', '.join(facts.operations)}", "let it end, then plan again"


def _version(facts: Facts) -> Found:
    """The nodes that replace others bring the same version: kubeadm joins no other."""
    if facts.version not in facts.offered:
        offered = ", ".join(facts.offered) or "none"
        yield f"{facts.version} is not offered any more; offered: {offered}", "upgrade first"
    others = sorted(n.name for n in facts.nodes if n.version and n.version != facts.version)
    if others:
        message = f"of another version than {facts.version}: {', '.join(others)}"
        yield message, "let the upgrade end first"


def _control_plane_count(facts: Facts) -> Found:
    count = len(facts.control_planes)
    if count % 2 == 0:
        yield f"{count} control planes", "scale to an odd number first"


def _etcd_stacked(facts: Facts) -> Found:
    for node in facts.control_planes:
        servers = node.running.get("kube-apiserver", {}).get("--etcd-servers", "")
        hosts = {urlsplit(url).hostname or "" for url in servers.split(",") if url}
        known = {*_LOOPBACK, *(n.address for n in facts.control_planes)}
        if "etcd" not in node.running or not hosts or hosts - known:
            message = f"{node.name} uses an etcd that is not its control planes'"
            yield message, "move etcd onto the control planes: external etcd is not migrated"


def _etcd_members(facts: Facts) -> Found:
    voters = [member for member in facts.members if not member.learner]
    if len(voters) % 2 == 0:
        yield f"etcd has {len(voters)} voting members", "bring it to an odd number first"
    learners = sorted(member.name for member in facts.members if member.learner)
    if learners:
        yield f"members that do not vote: {', '.join(learners)}", "wait, or remove them"
    sick = sorted(member.name for member in facts.members if not member.healthy)
    if sick:
        yield f"unhealthy members: {', '.join(sick)}", "repair etcd first"
    addresses = {node.address for node in facts.control_planes}
    strangers = sorted(
        member.name
        for member in facts.members
        if urlsplit(member.peer_url).hostname not in addresses
    )
    if strangers:
        message = f"members without a control plane: {', '.join(strangers)}"
        yield message, "remove them: Cluster API would"


def _authorities(facts: Facts) -> Found:
    for authority in facts.authorities:
        if authority.not_after is None:
            yield f"{authority.name} does not exist", "restore it from where it is kept"
        elif authority.not_after < facts.now + AUTHORITY_MARGIN:
            message = f"{authority.name} expires at {authority.not_after:%Y-%m-%d}"
            yield message, "rotate it first: a migration keeps the authority"
        if not authority.has_key:
            yield f"the key of {authority.name} is not known", "restore it from where it is kept"
        elif not authority.key_fits:
            message = f"the key of {authority.name} is not that of its certificate"
            yield message, "restore the key that belongs to it"


def _encryption(facts: Facts) -> Found:
    missing = [name for name in facts.encryption.used if name not in facts.encryption.held]
    if missing:
        message = f"encryption keys not found: {', '.join(missing)}"
        yield message, "restore them: without them no Secret can be read"


def _drift(facts: Facts) -> Found:
    for component in (*COMPONENTS, "etcd"):
        for difference in drift(component, facts.control_planes):
            yield f"control planes differ: {difference}", "make them equal, then plan again"


def _files(facts: Facts) -> Found:
    for component in COMPONENTS:
        named = {
            flag
            for node in facts.control_planes
            for flag in unknown_files(component, node.running.get(component, {}))
        }
        for flag in sorted(named):
            message = f"{component} {flag} is not on the nodes that replace others"
            yield message, "run without it for the migration"


def _stopped(facts: Facts) -> Found:
    for node in facts.control_planes:
        missing = [name for name in (*COMPONENTS, "etcd") if name not in node.running]
        if missing:
            yield f"{node.name} does not run {', '.join(missing)}", "start it"


def _provider_ids(facts: Facts) -> Found:
    wrong = sorted(n.name for n in facts.nodes if not n.provider_id.startswith("verda:///"))
    if wrong:
        yield f"without the id of their server: {', '.join(wrong)}", "replace these nodes first"
    counted = Counter(node.provider_id for node in facts.nodes if node.provider_id)
    twice = sorted(node.name for node in facts.nodes if counted[node.provider_id] > 1)
    if twice:
        yield f"with the same server: {', '.join(twice)}", "delete the node that does not exist"


def _webhooks(facts: Facts) -> Found:
    for hook in facts.webhooks:
        about = sorted(_MADE & {*hook.resources})
        if hook.fails_closed and about:
            message = f"webhook {hook.name} fails closed and is asked about {', '.join(about)}"
            yield message, "set its failurePolicy to Ignore for the migration, or narrow its rules"


def _budgets(facts: Facts) -> Found:
    for budget in facts.budgets:
        if budget.allowed < 1 and budget.pods > 0:
            message = f"PodDisruptionBudget {budget.name} lets none of {budget.pods} pods go"
            yield message, "add a replica, or relax the budget"


def _kubeadm(facts: Facts) -> Found:
    if facts.kubeadm_objects:
        names = ", ".join(sorted(facts.kubeadm_objects))
        yield f"kubeadm's objects exist already: {names}", "delete what an earlier attempt left"


def _quota(facts: Facts) -> Found:
    surge = 1 + (1 if facts.pools else 0)
    free = facts.quota
    if free.servers is not None and free.servers < surge:
        yield (
            f"{surge} more servers are needed at a time, {free.servers} are free",
            "raise the quota",
        )
    if free.load_balancers is not None and free.load_balancers < 1:
        yield "a load balancer is needed, none is free", "raise the quota"


CHECKS: dict[str, Callable[[Facts], Found]] = {
    "ClusterReady": _cluster_ready,
    "NodesReady": _nodes_ready,
    "ApiAnswers": _api,
    "NothingUnderWay": _operations,
    "VersionSupported": _version,
    "ControlPlaneCount": _control_plane_count,
    "ComponentsRunning": _stopped,
    "EtcdStacked": _etcd_stacked,
    "EtcdMembers": _etcd_members,
    "AuthoritiesValid": _authorities,
    "EncryptionKeys": _encryption,
    "FlagsEqual": _drift,
    "FilesKnown": _files,
    "ProviderIDs": _provider_ids,
    "WebhooksHarmless": _webhooks,
    "BudgetsAllow": _budgets,
    "NoKubeadmObjects": _kubeadm,
    "QuotaSuffices": _quota,
}
