"""A run keeps the places that it was given last, and is another one with another value."""

import math
import shutil

from experiments.config import make_config, values_of
from experiments.identity import differences
from experiments.parsing import parse
from experiments.plugins import load_plugins
from experiments.run import play
from signal_env.classifiers.pretrained import EMBEDDED

TINY = {"pool_size": 20, "round_size": 10, "budget": 11, "classifier": "linear", "evaluation_size": 10}


def test_a_new_place_is_kept_though_something_else_lies_at_the_old_one(tmp_path, forget_plugins):
    old, new, link = tmp_path / "old", tmp_path / "new", tmp_path / "link"
    plugin = "WEIGHT = 1\n"
    for folder in (old, new):
        shutil.copytree(EMBEDDED / "encoder", folder / "encoder")
        (folder / "kept.py").write_text(plugin)
    link.symlink_to(new)
    run = make_config(
        "SignalEnv-reviews-v0",
        "random",
        options=TINY | {"encoder": str(old / "encoder")},
        plugins=[str(old / "kept.py")],
        tensorboard=False,
        out=tmp_path / "run",
    )
    play(run)
    assert values_of(run.folder)["options"]["encoder"] == str(old / "encoder")
    (old / "encoder" / "config.json").write_text("{}")
    resume = ["--resume", str(run.folder)]
    new_plugin = load_plugins([str(new / "kept.py")])
    play(parse([*resume, "--encoder", str(new / "encoder")], plugins=new_plugin), resume=True)
    kept = values_of(run.folder)
    assert (kept["options"]["encoder"], kept["plugins"][0]["source"]) == (str(new / "encoder"), str(new / "kept.py"))
    text = (run.folder / "config.yaml").read_bytes()
    for same in (resume, [*resume, "--encoder", str(link / "encoder")]):
        play(parse(same), resume=True)
        assert (run.folder / "config.yaml").read_bytes() == text


def test_values_are_equal_if_a_file_has_the_same(tmp_path):
    def run(value):
        own = {"invalid_reward": math.nan, "classifier_options": {"C": value}}
        return make_config("SignalEnv-reviews-v0", "random", options=TINY | own, out=tmp_path)

    (tmp_path / "config.yaml").write_text(run(1).as_yaml())
    assert differences(run(1)) == []
    for value in (1.0, True, "1"):
        assert differences(run(value)) == [f"classifier_options is {{'C': 1}}, here {{'C': {value!r}}}"]
