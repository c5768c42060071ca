"""What keeps a reconcile from its end in the cloud: what to say of it, and when to look again."""

from __future__ import annotations

from collections.abc import Sequence

from vks.runtime.result import DONE, Result, Waiting
from vks.verda.errors import CloudError, RateLimited

Failure = CloudError | Waiting

#: Seconds after a failed call to the cloud (which has been retried by then).
RETRY = 1.0


def reason_of(failure: Failure) -> tuple[str, str]:
    """Reason and message of a condition."""
    if isinstance(failure, CloudError):
        return failure.code, failure.message
    return failure.reason, failure.message


def after(failures: Sequence[Failure]) -> Result:
    """When to look again. After a failure of the cloud that is a second, or later when the cloud
    says so."""
    for failure in failures:
        if isinstance(failure, RateLimited):
            return Result(failure.retry_after)
    polls = [f.poll for f in failures if isinstance(f, Waiting) and f.poll is not None]
    if any(isinstance(failure, CloudError) for failure in failures):
        polls.append(RETRY)
    return Result(min(polls)) if polls else DONE
