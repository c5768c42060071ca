"""How often a call is sent that the cloud does not take."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from keystoneauth1.noauth import NoAuth
from tests.support.virtual import run

from vks.verda.credentials import CloudConfig
from vks.verda.errors import CloudError, RateLimited, Unavailable
from vks.verda.transport import ATTEMPTS, REFUSALS, Answer, Service, Transport


class Scripted(Transport):
    """Gets these answers, one after the other and then the last one again."""

    def __init__(self, *answers: CloudError | Answer) -> None:
        config = CloudConfig(auth={"auth_url": "http://cloud/v3"})
        super().__init__(NoAuth(), config, ThreadPoolExecutor(1))
        self._answers = list(answers)
        self.asked = 0

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        self.asked += 1
        answer = self._answers[min(self.asked, len(self._answers)) - 1]
        await asyncio.sleep(0.01)
        if isinstance(answer, CloudError):
            raise answer
        return answer


COMPUTE = Service("compute", "")
BUSY = RateLimited("no", status=429, retry_after=1.0)
TAKEN = Answer(202, b"{}", {})


async def ask(transport: Transport, method: str = "POST") -> Answer:
    try:
        return await transport.request(COMPUTE, method, "/servers")
    finally:
        transport.close()


def test_what_was_refused_for_the_rate_of_calls_is_sent_again_whatever_it_is() -> None:
    transport = Scripted(BUSY, BUSY, TAKEN)
    assert run(ask(transport)) == TAKEN
    assert transport.asked == 3


def test_a_caller_is_told_when_the_cloud_refuses_again_and_again() -> None:
    transport = Scripted(BUSY)
    with pytest.raises(RateLimited):
        run(ask(transport))
    assert transport.asked == REFUSALS


@pytest.mark.parametrize(("method", "times"), [("GET", ATTEMPTS), ("POST", 1)])
def test_what_may_have_been_done_is_sent_again_only_if_that_harms_nobody(
    method: str, times: int
) -> None:
    transport = Scripted(Unavailable("lost"))
    with pytest.raises(Unavailable):
        run(ask(transport, method))
    assert transport.asked == times
