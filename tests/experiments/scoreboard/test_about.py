"""What a method is: values without places, its generator, and versions."""

from importlib import metadata

import yaml

from experiments.scoreboard.about import generator_of, method_values, versions
from experiments.scoreboard.protocol import read_protocol


def test_values_have_no_places():
    protocol = read_protocol()
    options = {"reward": "entropy", "annotator_model": "/somewhere/annotator", "data_dir": "/somewhere/data"}
    values = {
        "agent": "sb3",
        "options": options,
        "agent_options": {"policy": "/home/me/runs/mine/policy"},
        "num_envs": 5,
    }
    run = protocol.study("mine", values, ["reviews"], [0]).runs[0]
    plain = yaml.safe_load(run.as_yaml())
    assert method_values(plain) == {
        **{"agent": "sb3", "options": {"reward": "entropy"}, "agent_options": {"policy": "mine/policy"}},
        "num_envs": 5,
    }
    writer = protocol.study("w", {"agent": "generator"}, ["reviews"], [0]).runs[0]
    assert method_values(yaml.safe_load(writer.as_yaml()))["agent_options"] == {"generator": "embedded"}


def test_the_generator_is_that_of_the_run():
    def generator(agent, setting, **options):
        run = read_protocol().study("w", {"agent": agent, "agent_options": options}, [setting], [0]).runs[0]
        return generator_of(yaml.safe_load(run.as_yaml()))

    assert generator("generator", "reviews") == "embedded"
    assert generator("generator", "sst2-1%") == "Qwen/Qwen2.5-7B-Instruct"
    assert generator("generator", "sst2-1%", generator="/somewhere/models/writer") == "models/writer"
    assert generator("margin", "reviews") is None
    assert generator("sb3", "reviews") is None


def test_versions_are_those_installed():
    assert versions()["numpy"] == metadata.version("numpy")
