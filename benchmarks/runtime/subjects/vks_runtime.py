"""`python -m benchmarks.runtime.subjects.vks_runtime KUBECONFIG WORKERS`: our own runtime."""

from __future__ import annotations

import sys

from benchmarks.runtime.widget import Widget
from vks.kube.apply import Applier
from vks.kube.client import Client
from vks.kube.config import ClientConfig
from vks.kube.finalizers import add_finalizer, remove_finalizer
from vks.kube.objects import Key
from vks.runtime.controller import Controller
from vks.runtime.manager import Manager, run_until_signalled
from vks.runtime.process import run_until_complete
from vks.runtime.result import DONE, Result
from vks.runtime.watches import Watch

NAME = "bench"
FINALIZER = "bench.vks.verda/widget"


async def main(kubeconfig: str, workers: int) -> None:
    async with Client(ClientConfig.from_kubeconfig(kubeconfig), user_agent=NAME) as client:
        manager = Manager(client, name=NAME, http_port=0)
        widgets = manager.informer(Widget).store
        applier = Applier(client, NAME)

        async def reconcile(key: Key) -> Result:
            widget = widgets.get(key)
            if widget is None:
                return DONE
            if widget.deleting:
                await remove_finalizer(client, widget, FINALIZER)
                return DONE
            widget = await add_finalizer(client, widget, FINALIZER)
            generation = widget.metadata.generation
            if widget.status.observed_generation != generation:
                body = {
                    "metadata": {"name": key.name, "namespace": key.namespace},
                    "status": {"observedGeneration": generation},
                }
                await applier.apply(Widget, body, observed=widget, subresource="status")
            return DONE

        manager.add(Controller(NAME, reconcile, watches=[Watch(Widget)], workers=workers))
        await run_until_signalled(manager)


if __name__ == "__main__":
    run_until_complete(main(sys.argv[1], int(sys.argv[2])))
