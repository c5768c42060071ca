"""`agent.pyz SETTINGS` runs the agent, `agent.pyz proxy CONFIG` the node's way to the API."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from vks.legacy.agent.node import SystemNode
from vks.legacy.agent.proxy import Proxy
from vks.legacy.agent.session import Agent, Settings


def main() -> None:
    if sys.argv[1:2] == ["proxy"]:
        asyncio.run(Proxy(Path(sys.argv[2])).run())
        return
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))
    asyncio.run(Agent(settings, SystemNode()).run())


if __name__ == "__main__":
    main()
