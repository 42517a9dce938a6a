"""Shared fixtures: the folders of real texts and models, and small experiments on each registered environment."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import gymnasium as gym
import pytest
from hypothesis import settings

from agents.agent import get_agent
from experiments import plugins
from signal_env.utils.registry import _registries

# No deadline, since other work on the machine slows single examples down; the draws are the same every time.
settings.register_profile("untimed", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("untimed")

PLUGINS = Path(__file__).parent / "plugins"
"""Files that tests import as a user's plugins."""

collect_ignore = [PLUGINS.name]

SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="session")
def data_dir() -> str:
    """The folder of the real data sets."""
    folder = Path(os.environ.get("SIGNAL_ENV_DATA", SHARED / "data"))
    if not (folder / "sst2").is_dir():
        pytest.skip("needs the real data sets: set SIGNAL_ENV_DATA to their folder")
    return str(folder)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of annotators fine-tuned on the real data sets."""
    folder = Path(os.environ.get("SIGNAL_ENV_MODELS", SHARED / "models"))
    if not (folder / "annotator-sst2").is_dir():
        pytest.skip("needs fine-tuned annotators: set SIGNAL_ENV_MODELS to their folder")
    return folder


@pytest.fixture(scope="session")
def colors_task(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A user's own task of three classes: a .yaml file and a folder of texts."""
    folder = tmp_path_factory.mktemp("colors")
    things = [
        "apple",
        "house",
        "river",
        "stone",
        "cloud",
        "chair",
        "train",
        "mouse",
        "plant",
        "spoon",
        "glove",
        "candle",
    ]
    for split, places in (("train", ("here", "there", "outside", "below")), ("test", ("above", "inside"))):
        rows = [f"the {c} {t} is {p},{c}" for t in things for p in places for c in ("red", "green", "blue")]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (folder / "colors.yaml").write_text(
        "name: colors\ninstruction: 'Write something of a color:'\nclass_names: [red, green, blue]\n",
        encoding="utf-8",
    )
    return str(folder / "colors.yaml")


@pytest.fixture(scope="session")
def small_options(request: pytest.FixtureRequest):
    """Return a function from a registered id to the options of a small experiment with real parts."""

    def options(env_id: str) -> dict[str, object]:
        small: dict[str, object] = {"pool_size": 24, "round_size": 4, "evaluation_size": 20, "classifier": "linear"}
        if env_id == "SignalEnv-reviews-v0":
            return small
        if env_id == "SignalEnv-v0":
            task = request.getfixturevalue("colors_task")
            return small | {"task": task, "encoder": "embedded", "annotator": always_first}
        task = env_id.split("-")[1]
        small |= {"data_dir": request.getfixturevalue("data_dir"), "encoder": "minilm"}
        if not (Path(str(small["data_dir"])) / task).is_dir():
            pytest.skip(f"needs the real data set {task!r} in the folder SIGNAL_ENV_DATA")
        if task in ("trec", "banking77"):  # models for the paper's tasks are at hand
            return small | {"annotator": always_first}
        return small | {"annotator_model": str(request.getfixturevalue("models_dir") / f"annotator-{task}")}

    return options


def always_first(texts):
    """A user's own annotator."""
    return [0] * len(texts)


@pytest.fixture(scope="session")
def read_events():
    """Return a function from a folder to the content of its event files: for each tag, steps with their values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    kinds = ("scalars", "histograms", "tensors")

    def read(folder, purge=False):
        events = EventAccumulator(str(folder), size_guidance=dict.fromkeys(kinds, 0), purge_orphaned_data=purge)
        events.Reload()
        tags = events.Tags()
        read = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        read |= {tag: [(e.step, e.histogram_value) for e in events.Histograms(tag)] for tag in tags["histograms"]}
        for tag in tags["tensors"]:
            values = [(e.step, e.tensor_proto.string_val) for e in events.Tensors(tag)]
            read[tag] = [(step, value[0].decode(errors="replace") if value else None) for step, value in values]
        return read

    return read


@pytest.fixture
def forget_plugins():
    """Forgets what a test registers and imports: a stopping criterion of its own would be measured in later runs."""
    get_agent("random")  # the built-in agents are registered
    entries = {registry: dict(registry._entries) for registry in _registries}
    ids, modules, path, loaded = dict(gym.registry), set(sys.modules), list(sys.path), dict(plugins._loaded)
    yield
    for registry, before in entries.items():
        registry._entries = before
    for name in gym.registry.keys() - ids.keys():
        del gym.registry[name]
    for name in sys.modules.keys() - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((tempfile.gettempdir(), str(PLUGINS))):
            del sys.modules[name]
    sys.path[:] = path
    plugins._loaded.clear()
    plugins._loaded.update(loaded)


@pytest.fixture
def run_example(tmp_path, monkeypatch, forget_plugins):
    """Returns a function that runs an example of a page alone, steps its environment, and returns its names."""

    def run(block: str, page: str) -> dict[str, object]:
        monkeypatch.chdir(tmp_path)  # examples may write files
        names: dict[str, object] = {"__name__": "__main__"}
        exec(compile(block, page, "exec"), names)
        if "env" in names:
            env = names["env"]
            env.reset(seed=0)
            env.step("a film of its own")
        return names

    return run


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Headless Chromium, which can reach this machine only."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install 'signal-env[dev]'")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        *("headless", "no-sandbox", "disable-gpu", "enable-unsafe-swiftshader", "disable-quic", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync", "window-size=1400,1000"),
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium):
    """The browser, which leaves the page at the test's end: a page may draw without a pause."""
    yield chromium
    chromium.get("about:blank")
