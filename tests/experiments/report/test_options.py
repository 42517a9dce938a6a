"""The table of options: its values are those of the runs' configurations and rounds."""

import pandas as pd
import yaml

from experiments.config import make_config
from experiments.report.claims import claims
from experiments.report.options import options as options_of
from experiments.runs import Runs, read_runs


def runs_of(*named):
    """Runs of a setting, a method, a seed and a configuration, with two rounds each."""
    rows, configs = [], {}
    for setting, method, seed, config in named:
        folder = f"{setting}/{method}/{seed}"
        configs[folder] = yaml.safe_load(config.as_yaml())
        for index, labeled in enumerate((67, 134)):
            rows.append(
                {
                    **{"setting": setting, "method": method, "seed": seed, "folder": folder, "index": index},
                    **{"pool": 673, "labeled": labeled, "evaluation_size": 872, "selected_real": 10 * index},
                    "annotator_agreement": 0.9 if index and seed else 0.8 if index else None,
                }
            )
    return Runs(pd.DataFrame(rows), pd.DataFrame(), pd.DataFrame(), configs, [])


def shown(runs):
    return options_of(runs).set_index("option")["these runs"].to_dict()


def config(agent, seed=0, agent_options=None, **options):
    return make_config("SignalEnv-sst2-v0", agent, seed=seed, agent_options=agent_options or {}, options=options)


def test_equal_values_are_said_once_and_others_with_those_that_have_them():
    linear = {"classifier": "linear", "encoder": "minilm"}
    runs = runs_of(
        ("sst2-1%", "random", 0, config("random", **linear)),
        ("sst2-1%", "SIGnAL", 0, config("ppo", agent_options={"kl_coef": 0.02}, **linear)),
        ("sst2-1%", "frozen", 0, config("generator", agent_options={"temperature": 0.7}, **linear, n_neighbors=5)),
        ("sst2-0.1%", "SIGnAL", 0, config("ppo", agent_options={"kl_coef": 0.02}, **linear, n_examples=1)),
    )
    found = shown(runs)
    assert found["kl_coef"] == "0.02"
    assert found["n_neighbors"] == "10 (random, SIGnAL); 5 (frozen)"
    assert found["n_examples"] == "3 (sst2-1%); 1 (sst2-0.1%)"
    assert found["temperature"] == "1 (SIGnAL); 0.7 (frozen)"
    assert (found["classifier"], found["encoder"]) == ("linear", "minilm")
    assert found["normalize"] == "yes"
    assert found["labels a round"] == "67"
    assert found["evaluation"] == "872 texts of the validation split"
    assert "generator" not in found  # no run sets it


def test_values_that_differ_by_method_and_setting_come_with_both():
    runs = runs_of(
        ("a", "SIGnAL", 0, config("ppo", n_examples=1)),
        ("a", "frozen", 0, config("generator")),
        ("b", "SIGnAL", 0, config("ppo")),
        ("b", "frozen", 0, config("generator", n_examples=1)),
    )
    assert shown(runs)["n_examples"] == "1 (SIGnAL on a, frozen on b); 3 (frozen on a, SIGnAL on b)"


def test_what_most_methods_have_is_that_of_all_others():
    names = ["SIGnAL", "linear", "noise", "offers"]
    runs = [("a", name, 0, config("ppo", n_examples=1)) for name in names]
    found = shown(runs_of(*runs, ("a", "frozen", 0, config("generator")), ("a", "random", 0, config("random"))))
    assert found["n_examples"] == "1 (all others); 3 (frozen)"
    assert found["temperature"] == "1"


def test_seeds_are_counted_and_what_the_annotator_agrees_with_is_weighed():
    seeds = [("sst2-1%", "SIGnAL", seed, config("ppo", seed)) for seed in (0, 1)]
    found = shown(runs_of(*seeds, ("sst2-1%", "random", 0, config("random"))))
    assert found["seeds"] == "2 (SIGnAL); 1 (random)"
    assert found["annotator"] == "model"
    assert found["annotator's agreement with gold labels"] == "85.0% of 20 real texts"


def test_options_of_the_classifier_are_those_that_differ_from_its_defaults():
    runs = runs_of(
        ("sst2-1%", "random", 0, config("random", classifier_options={"epochs": 5})),
        ("sst2-1%", "cal", 0, config("cal")),
    )
    assert shown(runs)["classifier_options"] == "epochs 5 (random); default (cal)"


def test_runs_without_a_generator_have_no_rows_of_one():
    found = shown(runs_of(("sst2-1%", "random", 0, config("random"))))
    absent = {"generator", "kl_coef", "n_examples", "annotator", "reward", "value_size"}
    assert not absent & set(found)
    assert absent - {"generator"} <= set(shown(runs_of(("sst2-1%", "SIGnAL", 0, config("ppo")))))
    assert {"n_neighbors", "normalize", "classifier", "|R|", "seeds"} <= set(found)


def test_a_path_is_shown_by_its_last_part():
    models = {"generator": "/models/qwen"}
    found = shown(runs_of(("sst2-1%", "SIGnAL", 0, config("ppo", agent_options=models))))
    assert found["generator"] == "qwen"


def test_every_row_is_complete():
    table = options_of(runs_of(("sst2-1%", "SIGnAL", 0, config("ppo"))))
    assert (table != "").all(axis=None)


def test_real_runs_have_a_table(played):
    found = shown(read_runs([played]))
    assert found["|R|"] == "40"
    assert found["end of a run"] == "100% of R (entropy, random); 200% of R (generator)"
    assert found["max_new_tokens"] == "8"
    assert found["evaluation"] == "60 texts of the test split"
    assert found["annotator"] == "rule"
    assert "100.0% of" in found["annotator's agreement with gold labels"]


def test_real_runs_of_another_study_measure_none_of_the_claims(played):
    found = claims(read_runs([played]))
    assert {claim.verdict for claim in found} == {"not measured"}
    assert all("missing" in claim.evidence for claim in found)
