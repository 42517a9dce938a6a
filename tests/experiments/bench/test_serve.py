"""The bench of a service, played small: on a service in this process."""

import dataclasses

import pytest

from experiments.bench.serve import BenchServeConfig, measure_cost, measure_load, service_config
from experiments.parsing import parse
from tests.experiments.serve.conftest import serving


@pytest.fixture
def config():
    sizes = ["--pool-size", "30", "--round-size", "4", "--offers-per-round", "20", "--evaluation-size", "20"]
    parsed = parse(sizes, BenchServeConfig, "bench serve")
    small = {"clients": (2,), "seconds": 0.05, "batch": 4, "repeats": 2}
    return dataclasses.replace(parsed, **small)


def test_load_and_cost_are_measured_on_a_real_service(config, tmp_path):
    with serving(service_config(config, tmp_path / "run", rounds=True).run()) as (client, _):
        cost = measure_cost(config, client.url, tmp_path / "local")
        assert client.state().round["index"] == 2
        assert cost["share"] == pytest.approx(cost["added"] / (cost["write"] + cost["served"] + cost["served_close"]))
        load = measure_load(config, client.url)
    assert {clients for _, clients in load} == {2}
    for values in load.values():
        assert 0 < values["p50"] <= values["p95"] <= values["p99"] <= values["max"]
