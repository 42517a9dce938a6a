"""TensorBoard's event files hold the values of the infos, the same from both wrappers, and can be resumed."""

import html.parser
import json
import re
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import example, given
from hypothesis import strategies as st
from tensorboard.plugin_util import markdown_to_safe_html
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

import signal_env.wrappers.tensorboard as documented
from experiments.config import make_config
from experiments.run import play
from signal_env.tasks import Task
from signal_env.wrappers import TensorBoard, VectorTensorBoard
from signal_env.wrappers.tensorboard import projector
from signal_env.wrappers.tensorboard.cards import LONGEST, card
from signal_env.wrappers.tensorboard.offered import Offered

REVIEWS = "SignalEnv-reviews-v0"
SMALL = {"pool_size": 40, "round_size": 4, "offers_per_round": 8, "evaluation_size": 40}
REWARD = "signal - 0.5*entropy + 0*margin + 2*accuracy_gain + clip(signal, 0, 0.02)"
MIXED = SMALL | {"reward": REWARD, "invalid_reward": -0.25}
TEXTS = [
    *("a warm film", "", "a lone \ud800", "ein schöner Film 🙂", "**bold** | <b>", "a warm film", "1. one", "the end"),
    *("a cold film", "a dull film", "no film at all", "", "what a cast", "so it goes", "a fine one", "a poor one"),
]
APPROX = {"rel": 1e-5, "abs": 1e-6}  # events are in single precision


def played(folder, texts=TEXTS, seed=0, every=3, **options):
    """Play an episode of the single environment; return its rounds' infos, and each offer's reward and info."""
    env = TensorBoard(gym.make(REVIEWS, **options), folder, every=every)
    _, info = env.reset(seed=seed)
    rounds, offers = [info["round"]], []
    for text in texts:
        _, reward, _, _, info = env.step(text)
        offers.append((reward, info))
        if "round" in info:
            rounds.append(info["round"])
    env.close()
    return rounds, offers


def test_scalars_and_histograms_are_the_infos(tmp_path, read_events):
    rounds, offers = played(tmp_path, **MIXED, synthetic_share=0.25)
    events = read_events(tmp_path)
    assert [value for _, value in events["charts/synthetic_target"]] == [0.25, 0.25]
    rewards = np.array([reward for reward, _ in offers])
    points = [(0, 3), (3, 6), (6, 8), (8, 11), (11, 14), (14, 16)]  # every three, and at each round's end
    assert events["reward/total"] == [(b, pytest.approx(rewards[a:b].mean(), **APPROX)) for a, b in points]
    assert events["reward_mean/total"] == [
        (i + 1, pytest.approx(rewards[8 * i : 8 * i + 8].mean(), **APPROX)) for i in (0, 1)
    ]
    for term in ("signal", "entropy", "clip(signal, 0, 0.02)", "invalid"):
        tag = term.replace("(", "[").replace(")", "]")
        shares = np.array([info["reward_terms"][term]["contribution"] for _, info in offers])
        raws = np.array([info["reward_terms"][term]["raw"] for _, info in offers])
        assert events[f"reward/{tag}"] == [(b, pytest.approx(shares[a:b].mean(), **APPROX)) for a, b in points]
        assert [value for _, value in events[f"reward_mean/{tag}"]] == [
            pytest.approx(shares[a : a + 8].mean(), **APPROX) for a in (0, 8)
        ]
        assert (f"reward_raw/{tag}" in events) == (not np.array_equal(shares, raws))
        if term in ("entropy", "invalid"):
            assert events[f"reward_raw/{tag}"] == [(b, pytest.approx(raws[a:b].mean(), **APPROX)) for a, b in points]
        for step, histogram in events[f"reward_distribution/{tag}"]:
            of_round = shares[8 * step - 8 : 8 * step]
            assert (histogram.min, histogram.max, histogram.num) == (of_round.min(), of_round.max(), 8)
            assert sum(histogram.bucket) == 8
            assert histogram.sum == pytest.approx(of_round.sum())
    raws = np.array([info["reward_terms"]["margin"]["raw"] for _, info in offers])
    assert events["reward_raw/margin"] == [(b, pytest.approx(raws[a:b].mean(), **APPROX)) for a, b in points]
    assert not {"reward/margin", "reward_mean/margin", "reward_distribution/margin"} & events.keys()
    gains = [offers[i][1]["reward_terms"]["accuracy_gain"] for i in (7, 15)]  # earned by the text that closes a round
    # The texts before it earn 0 of it: two since the last point, eight in the round.
    for tag, part, texts in (("reward/accuracy_gain", "contribution", 2), ("reward_raw/accuracy_gain", "raw", 1)):
        assert events.get(tag, []) == [(8 * i + 8, approx(gain[part] / texts)) for i, gain in enumerate(gains)]
    assert events["reward_mean/accuracy_gain"] == [
        (i + 1, approx(gain["contribution"] / 8)) for i, gain in enumerate(gains)
    ]
    for group in ("reward", "reward_mean"):  # the contributions of all terms sum to the total at every point
        names = [name for name in events if name.startswith(f"{group}/") and name != f"{group}/total"]
        for step, total in events[f"{group}/total"]:
            assert sum(dict(events[name]).get(step, 0.0) for name in names) == approx(total)
    labels, accuracy = [r["labeled"] for r in rounds], [r["accuracy"] for r in rounds]
    for name in ("accuracy", "macro_f1", "nll"):
        assert events[f"charts/{name}"] == [(r["labeled"], approx(r[name])) for r in rounds]
    assert events["charts/area"][0] == events["charts/accuracy"][0]
    weighted = sum((a + b) / 2 * 4 for a, b in pairwise(accuracy))
    assert events["charts/area"][-1] == (labels[-1], approx(weighted / (labels[-1] - labels[0])))
    assert events["charts/reward"] == [(8, approx(rewards[:8].mean())), (12, approx(rewards.mean()))]
    assert events["charts/invalid"] == [(8, 3 / 8), (12, 1 / 8)]
    for i, name in enumerate(("negative", "positive")):
        assert events[f"labeling/count/{name}"] == [(r["labeled"], r["label_counts"][i]) for r in rounds]
        assert events.get(f"labeling/synthetic_count/{name}", []) == [
            (r["labeled"], r["synthetic_label_counts"][i]) for r in rounds if r["selected_synthetic"]
        ]
    for name, tag in {
        "synthetic_share": "charts/synthetic_in_labeled",
        "synthetic_target": "charts/synthetic_target",
        "annotator_agreement": "labeling/annotator_agreement",
    }.items():
        assert events.get(tag, []) == [(r["labeled"], approx(r[name])) for r in rounds if name in r]
    assert events["charts/synthetic_in_batch"] == [(r["labeled"], r["selected_synthetic"] / 4) for r in rounds[1:]]
    for name in ("score_selected", "score_unlabeled"):
        assert events[f"labeling/{name}"] == [(r["labeled"], approx(r[name])) for r in rounds[1:]]


def test_many_classes_have_three_tags(tmp_path, read_events):
    names = [f"color {i}" for i in range(12)]
    for split in ("train", "test"):
        rows = [f"thing {i} of the {split} files,{names[i % 12]}" for i in range(36)]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    task = Task("colors", "Write of a color:", tuple(names), directory=str(tmp_path))
    env = gym.make(
        "SignalEnv-v0", task=task, pool_size=24, round_size=6, classifier="linear", encoder="embedded", annotator="gold"
    )
    env = TensorBoard(env, tmp_path / "events")
    _, info = env.reset(seed=0)
    counts = info["round"]["label_counts"]
    env.close()
    events = read_events(tmp_path / "events")
    summary = {"min": min(counts), "median": np.median(counts), "max": max(counts)}
    assert {tag for tag in events if tag.startswith("labeling/count/")} == {f"labeling/count/{n}" for n in summary}
    assert [events[f"labeling/count/{name}"] for name in summary] == [[(6, value)] for value in summary.values()]


def approx(value):
    return pytest.approx(value, **APPROX)


@pytest.mark.parametrize("options", [SMALL, MIXED], ids=["one term", "several"])
def test_single_and_vector_write_the_same(tmp_path, read_events, options):
    played(tmp_path / "single", every=None, **options)
    envs = VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=4, **options), tmp_path / "vector")
    envs.reset(seed=0)
    for start in range(0, len(TEXTS), 4):
        envs.step(TEXTS[start : start + 4])
    envs.close()
    single, vector = (read_events(tmp_path / name) for name in ("single", "vector"))
    assert single == vector
    assert [step for step, _ in single["reward/total"]] == [*range(1, 17)]  # a tenth of 8 offers is less than one
    for name in ("tensors.tsv", "metadata.tsv"):
        assert len({(tmp_path / kind / "projector" / name).read_text() for kind in ("single", "vector")}) == 1


def test_a_card_shows_the_best_and_the_worst_texts(tmp_path, read_events):
    _, offers = played(tmp_path, **SMALL)
    events = read_events(tmp_path)
    for tag, sign in (("best", -1), ("worst", 1)):
        step, card = events[f"texts/{tag}/text_summary"][0]
        expected = sorted(sign * reward for reward, _ in offers[:8])[:5]
        rows = [line.split(" | ") for line in card.splitlines()[2:]]
        assert (step, [cells[0] for cells in rows]) == (1, [f"| {sign * value:.3f}" for value in expected])
    assert "&#42;&#42;bold&#42;&#42; &#124; &#60;b&#62;" in events["texts/best/text_summary"][0][1]
    assert "lone &#92;ud800" in events["texts/worst/text_summary"][0][1]


class Cells(html.parser.HTMLParser):
    """Return the texts of a table's cells, which must not hold other elements."""

    def __init__(self, page):
        super().__init__()
        self.cells, self._open = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        assert tag in ("table", "thead", "tbody", "tr", "th", "td", "br")
        if tag in ("td", "th"):
            self.cells.append("")
        self._open = tag in ("td", "th", "br")

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            self.cells[-1] += data
        else:
            assert not data.strip()


@given(st.text(st.characters(exclude_categories=()), max_size=60))
@example("<script>alert(1)</script> [a](javascript:b) ![](c) `d` *e* _f_ ~g~ | \\| &amp; &#42; # h\n> i\n- j\n1. k")
@example("http://example.org <br> \x02klzzwxh:0000\x03 \u202e\u200b\ud800")
def test_any_text_is_unchanged_on_a_card(text):
    terms = {"clip(signal, 0, 2)": {"weight": 1.0, "raw": 1.5, "contribution": 1.5}}
    one = " ".join(text.split())
    shown = Cells(markdown_to_safe_html(card([Offered(one, 1.5, "synthetic", terms)])))
    *titles, reward, contribution, origin, cell = shown.cells
    assert titles == ["reward", "clip(signal, 0, 2)", "origin", "text"]
    assert (reward, contribution, origin) == ("1.500", "1.500", "synthetic")
    expected = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in one)
    assert cell.replace(" ", "") == expected.replace(" ", "")  # a line may end where a space was, or in a long word


def test_a_long_text_is_cut_and_lines_are_short():
    shown = card([Offered("word " * 200, 0.0, "synthetic", {})])
    assert shown.count("word") == LONGEST / 5
    assert "…" in shown
    assert max(map(len, shown.splitlines()[-1].split("<br>"))) < 120


def documented_tags():
    """Return the tags in the table of the documentation, as patterns."""
    tags = re.findall(r"^\| `([^`]+)` \|", documented.__doc__, flags=re.MULTILINE)
    return {tag: re.compile(re.sub(r"TERM|NAME|CLASS", ".+", tag)) for tag in tags}


def test_the_table_lists_every_tag_and_no_other(tmp_path, read_events):
    options = {"pool_size": 40, "round_size": 10, "evaluation_size": 40, "budget": 30, "offers_per_round": 16}
    options |= {"reward": {"signal": 1.0, "entropy": 0.5}, "synthetic_share": 0.5}
    agent = {"mini_batches": 2, "max_new_tokens": 8, "lift_texts": 8}
    run = make_config(REVIEWS, "ppo", options=options, agent_options=agent, seed=2, num_envs=8, out=tmp_path / "run")
    play(run, lambda *_: None)
    written = read_events(tmp_path / "run" / "tensorboard").keys()
    table = documented_tags()
    assert len(table) > 25
    assert [tag for tag in written if not any(pattern.fullmatch(tag) for pattern in table.values())] == []
    absent = [tag for tag, pattern in table.items() if not any(map(pattern.fullmatch, written))]
    assert absent == ["metrics/NAME"]  # of agents of one's own
    said = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    events = read_events(tmp_path / "run" / "tensorboard")
    for name, tag in {
        "trainer/loss/policy_avg": "losses/loss/policy_avg",
        "lift/mean": "lift/mean",
        "reward/mean": "reward_written/mean",
        "texts/tokens": "texts/tokens",
    }.items():
        assert events[tag] == [(16 * line["round"], approx(line[name])) for line in said], name


def hyperparameters(folder):
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    content = {tag: kept.plugin_data.content for tag, kept in events.AllSummaryMetadata().items()}
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    return values, end.status


def test_hyperparameters_are_the_options_as_plain_values(tmp_path):
    def brevity(texts):
        return [1 / len(text) for text in texts]

    options = SMALL | {"reward": brevity, "classifier_options": {"inverse_regularization": 0.5}, "budget": 8}
    hparams = {"agent": "mine", "seed": 3, "deep": {"rate": np.float32(0.5)}, "layers": (1, 2), "none": None}
    env = TensorBoard(gym.make(REVIEWS, **options), tmp_path, hparams=hparams)
    env.reset(seed=0)
    for text in TEXTS[:8]:
        _, _, terminated, _, _ = env.step(text)
    assert terminated
    env.close()
    values, status = hyperparameters(tmp_path)
    expected = {
        "reward": "brevity",
        "classifier_options/inverse_regularization": 0.5,
        "retrain": True,
        "budget": 8,
        "initial_labeled": 4,
    }
    expected |= {
        "agent": "mine",
        "seed": 3,
        "deep/rate": 0.5,
        "layers": "(1, 2)",
        "round_size": 4,
        "encoder": "embedded",
    }
    assert {name: values[name] for name in expected} == expected
    assert not {"none", "data_dir"} & values.keys()
    assert status == 1  # success
    played(tmp_path / "left", texts=TEXTS[:3], **SMALL)
    assert hyperparameters(tmp_path / "left")[1] == 0  # unknown: it was closed in the middle
    with pytest.raises(ValueError, match="names of the environment's options; got retrain, reward"):
        TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path / "no", hparams={"retrain": 1, "reward": 2, "seed": 3})


def test_discarded_rounds_are_on_no_page(tmp_path, read_events):
    """Keep two rounds, discard a closed round and half of another one, and play three rounds anew."""
    texts = [f"a film of {i} parts, {adjective}" for i in range(40) for adjective in ("fine", "dull")]
    options = MIXED | {"budget": 24}
    whole = VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=4, **options), tmp_path / "whole")
    whole.reset(seed=1)
    for start in range(0, 40, 4):
        whole.step(texts[start : start + 4])
        whole.board.metrics({"trainer/loss": float(start)})
    whole.close()

    folder = tmp_path / "killed"
    begun = VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=4, **options), folder)
    begun.reset(seed=1)
    state = {}
    for start in range(0, 28, 4):
        begun.step(texts[start : start + 4] if start < 16 else [f"{start} other {i}" for i in range(4)])
        begun.board.metrics({"trainer/loss": float(start)})
        if start == 12:
            state = json.loads(json.dumps({"env": begun.unwrapped.state_dict(), "board": begun.board.state_dict()}))
    begun.board._files.close()  # as if it had been killed: all events so far are on the disk
    with next(folder.glob("events*")).open("ab") as file:
        file.write(b"half an event")
    assert len(read_events(folder)["charts/accuracy"]) == 4

    later = VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=4, **options), folder, state=state["board"])
    later.unwrapped.reset(seed=1)
    later.unwrapped.load_state_dict(state["env"])
    for start in range(16, 40, 4):
        later.step(texts[start : start + 4])
        later.board.metrics({"trainer/loss": float(start)})
    later.close()
    expected = read_events(tmp_path / "whole")
    assert len(expected["charts/accuracy"]) == 6
    assert read_events(folder, purge=True) == read_events(folder, purge=False) == expected
    assert [file.name for file in folder.glob("projector*/*")] == [
        file.name for file in (tmp_path / "whole").glob("projector*/*")
    ]
    for name in ("tensors.tsv", "metadata.tsv"):
        assert (folder / "projector" / name).read_text() == (tmp_path / "whole" / "projector" / name).read_text()
    first = min(folder.glob("events*"))
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"should have \d+ bytes"):
        VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=4, **options), folder, state=state["board"])


def test_the_projector_has_labels_of_labeled_texts_alone(tmp_path, monkeypatch):
    env = TensorBoard(gym.make(REVIEWS, **SMALL, selection="submitted"), tmp_path / "all")
    env.reset(seed=0)
    offered = {}
    for i in range(8):
        _, reward, _, _, _ = env.step(text := env.unwrapped.unlabeled.texts[i] if i < 4 else f"a film of {i} parts")
        offered[text] = f"{reward:.6g}"
    view, learner = env.unwrapped.unlabeled, env.unwrapped.learner
    env.close()
    lines = (tmp_path / "all" / "projector" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "text\torigin\tlabel\treward"
    rows = [line.split("\t") for line in lines[1:]]
    names = learner.task.class_names
    assert [(row[0], row[2]) for row in rows[: len(learner.labeled)]] == [(t, names[y]) for t, y in learner.labeled]
    assert [row[0] for row in rows[len(learner.labeled) :]] == list(view.texts)
    assert {row[2] for row in rows[len(learner.labeled) :]} == {"unlabeled"}
    assert all(row[1] == ("real" if row[0] in learner.pool else "synthetic") for row in rows)
    assert {row[0]: row[3] for row in rows if row[3]} == offered
    tensors = _read_tensor_tsv_file(str(tmp_path / "all" / "projector" / "tensors.tsv"))
    np.testing.assert_allclose(tensors, np.concatenate([view.labeled.embeddings, view.embeddings]), rtol=1e-4)
    for most, labeled in ((30, 8), (5, 5)):  # fewer points than texts: unlabeled ones are left out first
        monkeypatch.setattr(projector, "MOST_POINTS", most)
        embeddings, rows = projector.Snapshot(learner.labeled, view, learner.episode.is_real).points(names, {})
        assert embeddings.shape == (most, tensors.shape[1])
        assert len({row[0] for row in rows}) == most
        assert sum(row[2] != "unlabeled" for row in rows) == labeled


def test_the_projector_of_a_classifier_that_stays_has_the_initial_labels(tmp_path):
    env = TensorBoard(gym.make(REVIEWS, **SMALL, retrain=False), tmp_path)
    env.reset(seed=0)
    initial = env.unwrapped.learner.labeled
    for text in TEXTS:
        env.step(text)
    env.close()
    rows = [line.split("\t") for line in (tmp_path / "projector" / "metadata.tsv").read_text().splitlines()[1:]]
    names = env.unwrapped.learner.task.class_names
    assert [(row[0], row[2]) for row in rows if row[2] != "unlabeled"] == [(text, names[y]) for text, y in initial]
    assert [row[0] for row in rows[len(initial) :]] == list(env.unwrapped.unlabeled.texts)


def test_each_episode_has_a_folder_and_the_checker_is_content(tmp_path, read_events):
    env = TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path)
    with pytest.warns(UserWarning, match="different from the unwrapped version"):
        check_env(env, skip_render_check=True, skip_close_check=True)
    env.reset(seed=0)
    env.step("a film")
    env.close()
    env.close()
    folders = sorted(folder for folder in tmp_path.iterdir() if folder.name.startswith("episode"))
    assert folders[0].name == "episode-00002"
    assert read_events(folders[-1])["charts/accuracy"] == read_events(folders[-1])["charts/area"]
    with pytest.raises(FileExistsError, match="another folder"):
        TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path)


def test_references_are_runs_of_their_own(tmp_path, read_events):
    curves = {"random": [(4, 0.5), (8, 0.75)], "other": [(4, 0.25)]}
    env = TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path, references=curves)
    env.reset(seed=0)
    for text in TEXTS[:8]:  # a round
        env.step(text)
    state = env.board.state_dict()
    env.reset(seed=1)  # a second episode writes no second time
    env.close()
    for name, curve in curves.items():
        folder = tmp_path / f"reference-{name}"
        assert read_events(folder) == {"charts/accuracy": curve}
        assert len([*folder.iterdir()]) == 1
    again = TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path, state=state, references=curves)
    again.close()
    assert read_events(tmp_path / "reference-random") == {"charts/accuracy": curves["random"]}


def test_bad_input_is_named(tmp_path):
    with pytest.raises(TypeError, match="Wrap each of several independent experiments"):
        VectorTensorBoard(gym.make_vec(REVIEWS, num_envs=2, vectorization_mode="sync", **SMALL), tmp_path)
    with pytest.raises(ValueError, match="at least 1 text; got 0"):
        TensorBoard(gym.make(REVIEWS, **SMALL), tmp_path, every=0)

    def total(texts):
        return [1.0] * len(texts)

    with pytest.raises(ValueError, match="cannot be called 'total'"):
        played(tmp_path, **SMALL, reward=total)
