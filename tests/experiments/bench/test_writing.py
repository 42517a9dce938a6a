"""The benchmark of writing: its figures are those of the texts, and reviews are on the topic of reviews."""

import dataclasses

import numpy as np
import pytest

from experiments.bench import writing
from experiments.bench.writing import WritingConfig
from experiments.config import RunError

TASK = """
name: weather
instruction: "Based on the following examples of weather reports, come up with a new example:"
class_names: [dry, wet]
"""

SMALL = WritingConfig(
    generator="embedded",
    tasks=("reviews", "weather"),
    styles=("continuation",),
    texts=8,
    pool_size=20,
    max_new_tokens=20,
    encoder="embedded",
    samples=1,
)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "weather.yaml").write_text(TASK)
    for split, n in (("train", 40), ("test", 4)):
        rows = [f"rain over field {i},wet\nsun over field {i},dry" for i in range(n)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    return dataclasses.replace(SMALL, tasks=("reviews", str(tmp_path / "weather.yaml")))


def test_a_generator_of_reviews_is_on_the_topic_of_reviews_alone(config, capsys, monkeypatch):
    written = []
    original = writing.write
    monkeypatch.setattr(writing, "write", lambda *args: written.append(original(*args)) or written[-1])
    reviews, weather = writing.main(config)
    assert (reviews["task"], reviews["style"]) == ("reviews", "continuation")
    assert 0.7 < reviews["on topic"] < 1.3  # other real reviews have 1
    assert weather["on topic"] < 0.3  # reviews have 0
    _, texts = written[0]
    assert reviews["distinct"] == len(set(texts)) / 8
    assert reviews["words"] == np.mean([len(text.split()) for text in texts])
    shown = capsys.readouterr().out
    assert f"reviews, continuation: {texts[0]!r}" in shown


def test_a_single_task_and_an_unknown_style_are_refused():
    with pytest.raises(RunError, match="give two tasks or more"):
        writing.main(dataclasses.replace(SMALL, tasks=("reviews",)))
    with pytest.raises(RunError, match="among 'chat' and 'continuation'; got talk"):
        writing.main(dataclasses.replace(SMALL, styles=("talk",)))
