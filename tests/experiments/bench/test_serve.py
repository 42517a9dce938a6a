"""The bench of a service, played small: it kills a real process."""

import dataclasses

import pytest

from experiments.bench.serve import BenchServeConfig, measure_cost, measure_load, rounds_of, survive_kills
from experiments.parsing import parse
from tests.experiments.serve.conftest import serving


@pytest.fixture
def config():
    sizes = ["--pool-size", "30", "--round-size", "4", "--offers-per-round", "20", "--evaluation-size", "20"]
    parsed = parse(sizes, BenchServeConfig, "bench serve")
    small = {"clients": (2,), "seconds": 0.05, "kills": 1, "killed_clients": 4, "batch": 4, "repeats": 2}
    return dataclasses.replace(parsed, **small)


def test_a_service_that_is_killed_beside_its_clients_loses_and_doubles_nothing(config, tmp_path):
    found = survive_kills(config, tmp_path / "run")
    assert (found["lost"], found["doubled"], found["mixed"]) == (0, 0, 0)
    assert found["kills"] == 1
    assert found["rounds"] >= 1
    assert found["texts"] > found["offers"] > 4


def test_load_and_cost_are_measured_on_a_real_service(config, tmp_path):
    from experiments.serve import ServeConfig

    options = dataclasses.replace(config.options, **rounds_of(config))
    run = ServeConfig(out=tmp_path / "run", tensorboard=False, options=options).run()
    with serving(run) as (client, _):
        cost = measure_cost(config, client.url)
        assert client.state().round["index"] == 2
        assert cost["share"] == pytest.approx(cost["added"] / (cost["write"] + cost["served"] + cost["served_close"]))
        load = measure_load(config, client.url)
    assert {clients for _, clients in load} == {2}
    for values in load.values():
        assert 0 < values["p50"] <= values["p95"] <= values["p99"] <= values["max"]
