"""The benchmark of classifiers, on the embedded corpus."""

import dataclasses

import pytest

from experiments.bench.classifiers import RECIPES, ClassifiersBenchConfig, main
from experiments.config import RunError
from signal_env.classifiers import make_classifier
from signal_env.data import load
from signal_env.learner.experiment import draw_pool, evaluation_texts
from signal_env.tasks import get_task


@pytest.fixture
def config(tmp_path):
    return ClassifiersBenchConfig(
        tasks=("reviews",),
        labels=(7, 14),
        sets=2,
        recipes=("linear", "linear-unweighted"),
        encoder="embedded",
        evaluation_size=50,
        out=tmp_path / "rows.jsonl",
    )


def test_it_measures_each_recipe_on_the_same_sets(config):
    rows = main(config)
    assert len(rows) == 2 * 2 * 2
    (row,) = (row for row in rows if (row["recipe"], row["labels"], row["set"]) == ("linear", 14, 1))
    task = get_task("reviews")
    corpus = load(task, None)
    chosen = draw_pool(len(corpus.train.texts), 14, 1)
    classifier = make_classifier("linear", task, "embedded")
    classifier.fit([corpus.train.texts[i] for i in chosen], corpus.train.labels[chosen], 1)
    texts, gold = evaluation_texts(corpus.evaluation, 50)
    assert row["accuracy"] == (classifier.predict(texts).probabilities.argmax(axis=1) == gold).mean()


def test_it_continues_where_it_was_interrupted(config, capsys):
    whole = main(config)
    lines = config.out.read_text().splitlines(keepends=True)
    config.out.write_text("".join(lines[:3]) + lines[3][:20])  # killed while it wrote
    again = main(config)
    assert config.out.read_text().splitlines(keepends=True)[:3] == lines[:3]
    assert [{**row, "seconds": 0} for row in again] == [{**row, "seconds": 0} for row in whole]
    assert "linear-unweighted" in capsys.readouterr().out


def test_an_unknown_recipe_is_an_error(config):
    with pytest.raises(ValueError, match=r"Expected recipes among linear, linear-unweighted, .*; got ridge"):
        main(ClassifiersBenchConfig(recipes=("ridge",), out=config.out))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"labels": (7, 1_000_000)}, r"labels from 1 to the [\d,]+ training texts of reviews; got 1,000,000"),
        ({"labels": (0,)}, "labels from 1 to"),
        ({"sets": 0}, "sets to be at least 1; got 0"),
        ({"evaluation_size": 0}, "evaluation_size to be at least 1; got 0"),
    ],
)
def test_sizes_that_cannot_be_trained_are_refused(config, changes, expected):
    with pytest.raises(RunError, match=expected):
        main(dataclasses.replace(config, **changes))
    assert not config.out.exists()


def test_what_is_named_twice_counts_once(config):
    rows = main(dataclasses.replace(config, tasks=("reviews", "reviews"), labels=(7, 7), recipes=("linear", "linear")))
    assert [row["set"] for row in rows] == [0, 1]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_makes_a_classifier(recipe):
    options = dict(RECIPES[recipe])
    assert make_classifier(options.pop("classifier"), get_task("reviews"), "embedded", **options)
