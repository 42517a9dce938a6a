"""A real TensorBoard with real runs, in headless Chromium: every page has its content and no error."""

import json
import re
import subprocess
import sys
import time
import urllib.request

import gymnasium as gym
import pytest

from experiments.config import make_config
from experiments.run import play
from signal_env.wrappers import TensorBoard
from signal_env.wrappers.tensorboard.tags import LAYOUT

REVIEWS = "SignalEnv-reviews-v0"
REWARD = "signal + 0.1*clip(entropy, 0, 0.65)"
ODD = "<img src=x onerror=document.title=1> **bold** `code` | [link](http://example.org) <b>b</b>"
SEEN = """
const texts = [], shapes = {};
(function walk(node) {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    if (node.nodeType === Node.ELEMENT_NODE) {
        if (node.localName === 'style' || node.localName === 'script') return;
        const drawn = node.localName === 'path' && (node.getAttribute('d') || '').length > 20;
        const name = drawn ? 'path.' + node.getAttribute('class') : node.localName;
        shapes[name] = (shapes[name] || 0) + 1;
        if (node.shadowRoot) walk(node.shadowRoot);
    }
    node.childNodes.forEach(walk);
})(document.body);
return [texts.join(' ').replace(/\\s+/g, ' '), shapes];
"""
"""Script that returns the content of a page, including all shadow roots: its text, and the number of elements of each
name. Paths that draw something are counted by their class."""
ELEMENTS = """
const found = [], name = arguments[0];
(function walk(node) {
    if (node.localName === name) found.push(node);
    if (node.shadowRoot) [...node.shadowRoot.children].forEach(walk);
    [...node.children].forEach(walk);
})(document.body);
return found;
"""
"""Script that returns all elements of a name, including those in shadow roots."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of two agents, with a reward of two terms, and a run with an unusual text."""
    folder = tmp_path_factory.mktemp("runs")
    options = {"pool_size": 40, "round_size": 10, "evaluation_size": 100, "reward": REWARD}
    for agent in ("random", "generator"):
        play(make_config(REVIEWS, agent, options=options, out=folder / agent), lambda *_: None)
    env = TensorBoard(gym.make(REVIEWS, pool_size=20, round_size=2), folder / "odd", hparams={"agent": "odd"})
    env.reset(seed=0)
    for text in (ODD, "a fine film"):
        env.step(text)
    env.close()
    return folder


@pytest.fixture(scope="module")
def address(runs):
    """A TensorBoard that has read all runs."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(runs), "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(server.stderr.readline, "")
        found = next((line for line in lines if "http://" in line and "127.0.0.1" in line), None)
        assert found, "TensorBoard ended before it said its address"
        address = re.search(r"http://[\d.]+:\d+/", found)[0]
        wait(lambda: len(load(address + "data/runs")) == 3)
        wait(lambda: load(address + "data/plugins_listing")["projector"]["enabled"])
        yield address
    finally:
        server.terminate()
        server.communicate()


def load(url):
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def wait(condition, seconds=60):
    """Wait until a condition holds, which may take long on a busy machine."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.1)
    return value


@pytest.fixture
def look(browser, address):
    """Return a function that opens a page of TensorBoard and waits for its content."""

    def look(page, *expected, **shapes):
        browser.get("about:blank")
        browser.get(f"{address}#{page}")
        return see(browser, *expected, **shapes)

    yield look
    browser.switch_to.default_content()
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def see(browser, *expected, **shapes):
    """Wait until the page has all of the texts and so many of each shape; return its text and shapes."""
    text, found = "", {}

    def there():
        nonlocal text, found
        text, found = browser.execute_script(SEEN)
        return all(part in text for part in expected) and all(found.get(n, 0) >= k for n, k in shapes.items())

    try:
        wait(there)
    except AssertionError as error:
        missing = [part for part in expected if part not in text]
        raise AssertionError(f"not there: {missing}, {shapes} of {found}; there is: {text[:2000]}") from error
    return text, found


def test_it_opens_on_curves(look):
    look("", "charts", "/accuracy", "/macro_f1", "Run", "generator/tensorboard", canvas=3)


def test_scalars(look):
    expected = ("charts/accuracy", "charts/area", "labeling/count/negative", "random/tensorboard", "odd")
    look("scalars", *expected, **{"path.line": 30})


def test_custom_scalars(look):
    titles = [title for charts in LAYOUT.values() for title in charts]
    expected = ("charts/accuracy (generator/tensorboard)", "reward_mean/clip[entropy, 0, 0.65] (random/tensorboard)")
    look("custom_scalars", *LAYOUT, *titles, *expected, **{"path.line": 30})


def test_texts_are_unchanged(look, browser, runs):
    offers = [json.loads(line) for line in (runs / "random" / "offers.jsonl").read_text().splitlines()]
    last = [offer for offer in offers if offer["round"] == offers[-1]["round"]]
    best = max(last, key=lambda offer: offer["reward"])["text"]
    _, found = look("text", "texts/best/text_summary", best, ODD)
    assert not {"img", "b", "strong", "em", "code"} & found.keys()
    assert browser.title == "TensorBoard"


def test_histograms(look):
    look(
        "histograms", "reward_distribution/total", "reward_distribution/clip[entropy, 0, 0.65]", **{"path.outline": 20}
    )


def test_hyperparameters(look, browser, runs):
    look("hparams", "Trial ID", "generator/tensorboard", REWARD, "max_new_tokens")
    cells = [cell.text for cell in browser.execute_script(ELEMENTS, "vaadin-grid-cell-content")]
    titles = cells[: cells.index("")]
    assert titles[2] == "agent"
    charts = ("accuracy", "area", "invalid", "macro_f1", "nll")  # the page shows five; the others can be chosen there
    assert titles[-5:] == [f"charts/{name}" for name in charts]
    for agent in ("random", "generator"):
        row = cells[cells.index(f"{agent}/tensorboard") :][: len(titles)]
        rounds = [json.loads(line) for line in (runs / agent / "rounds.jsonl").read_text().splitlines()]
        assert row[2] == agent
        assert float(row[-5]) == pytest.approx(rounds[-1]["accuracy"], rel=1e-4)


def test_projector(look, browser):
    look("projector", iframe=1)
    for _ in range(2):  # the plugin's frame, and the projector's in it
        browser.switch_to.frame(wait(lambda: browser.find_elements("tag name", "iframe"))[0])
    see(browser, "3 runs found", "texts after 40 labels", "40x128", "origin", "label 2 colors", "reward", canvas=1)
    options = browser.execute_script(ELEMENTS, "paper-item")
    by_label = next(item for item in options if item.get_attribute("textContent").split() == ["label", "2", "colors"])
    browser.execute_script("arguments[0].click()", by_label)
    see(browser, "negative", "positive")  # the legend
