"""The bench of a service, played small: it kills real processes."""

import dataclasses

from experiments.bench.serve import BenchServeConfig, main
from experiments.parsing import parse


def test_a_service_that_is_killed_beside_its_clients_loses_and_doubles_nothing(capsys):
    config = parse(
        ["--pool-size", "30", "--round-size", "4", "--offers-per-round", "20"], BenchServeConfig, "bench serve"
    )
    small = {"clients": (2,), "seconds": 0.1, "kills": 2, "killed_clients": 4, "batch": 4, "repeats": 1}
    found = main(dataclasses.replace(config, **small))
    killed = found["killed"]
    assert (killed["lost"], killed["doubled"], killed["mixed"]) == (0, 0, 0)
    assert killed["kills"] == 2
    assert killed["rounds"] >= 1
    assert killed["texts"] > killed["offers"] > 0
    assert all(values["p50"] <= values["p99"] <= values["max"] for values in found["load"].values())
    assert "2 kills beside 4 clients" in " ".join(capsys.readouterr().out.split())
