"""The thread that plays a service's requests."""

import json
import threading

import pytest

from experiments.serve.request import Request
from experiments.serve.served_run import ServedRun
from experiments.serve.worker import Stopped, Worker


def test_it_ends_after_the_request_at_work_and_the_journal_has_the_rest(config):
    run = ServedRun(config())
    worker = Worker(run, 16)
    begun, gates = threading.Event(), [threading.Event(), threading.Event()]
    worker.submit(lambda _: (begun.set(), gates[0].wait(20)))
    assert begun.wait(20)
    begun.clear()
    second = worker.submit(lambda _: (begun.set(), gates[1].wait(20)))
    offers = [worker.submit(Request("offer", str(i), texts=(f"a film of {i}",))) for i in range(3)]
    gates[0].set()  # the second job and the offers are one batch
    assert begun.wait(20)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while not worker._stopping:
        pass
    gates[1].set()
    stopping.join()
    assert second.exception() is None
    for offer in offers:
        with pytest.raises(Stopped, match="repeat the request"):
            offer.result()
    run.close()
    assert run.experiment.state().offered == 0
    lines = (run.config.folder / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["0", "1", "2"]
    again = ServedRun(run.config)
    assert again.experiment.state().offered == 3
    again.close()
