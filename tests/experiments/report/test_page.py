"""The page of a report in headless Chromium: it shows, sorts and filters what pandas does, and runs nothing else."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.report.page import HEADS, Part, library, write_page
from experiments.report.texts import Sample

HOSTILE = (
    "<script>document.title = 'ran'</script>",
    "</script><script>document.title = 'ran'</script>",
    "<!--<script>",
    "<img src=x onerror=\"document.title = 'ran'\">",
    "'\"><b>bold</b> &amp; &lt; $title ${title}",
    "emoji 🎬 and a family 👩‍👩‍👧",
    "שלום \u202e and back",
    "alone \ud800 and \udc00",
    "nul \0 bell \a line \u2028 end",
    "]]> javascript:document.title='ran'",
    "long " + "<i>word</i> " * 100 + "🎬",
)
TABLE = pd.DataFrame(
    {
        "method": ["SIGnAL", "random", "badge", "Entropy", "<u>odd</u>", "cal"],
        "labels": [1000, 200, 30, 4, 50, 600],
        "accuracy": [0.81, np.nan, 0.799, -0.5, 1e-3, 0.81],
        "area": ["0.81 ± 0.02", "−0.5 ± 0.1", "", "+10.2 ± 1", "9.7 ± 0.1", "0.081"],
        "finished": [True, False, True, True, False, True],
        "verdict": ["supported", "not supported", "undecided: 12 seeds", "supported", "other", "undecided"],
    }
)
ROWS = (
    "return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
)
COLUMNS = list(HEADS)
TEXTS = "return [...document.querySelectorAll('#offers td.text')].map(c => c.textContent)"
CHOOSE = """
const [field, wanted] = arguments;
field.selectedIndex = [...field.options].findIndex(option => option.text === wanted);
for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, {bubbles: true}));
"""
UNITS = """return [...document.querySelectorAll('#offers td.text > bdi, #offers td.text details > bdi')].map(
    e => [...Array(e.textContent.length).keys()].map(i => e.textContent.charCodeAt(i)))"""
"""The texts in UTF-16, as a lone surrogate does not come through the driver."""


@pytest.fixture(scope="module")
def crowd():
    """Texts of several pages, some rewards equal, some terms not of every run."""
    rng = np.random.default_rng(0)
    texts = []
    for i in range(120):
        reward = round(float(rng.normal()), 1)
        terms = {"signal": {"raw": 2 * reward, "contribution": reward}}
        if i % 3:
            terms["clip(novelty, 0, 1)"] = {"raw": float(rng.random()), "contribution": 0.0}
        texts.append(
            {
                "setting": f"sst2-{i % 2}",
                "method": ("SIGnAL", "frozen", "random")[i % 3],
                "seed": i % 12,
                "round": int(rng.integers(1, 20)),
                "text": f"text {i} of {'a Fine film' if i % 7 == 0 else 'a dull one'}",
                "reward": reward,
                "terms": terms,
                "label": ("", "positive", "negative")[int(rng.integers(3))],
                "origin": "real" if i % 3 == 2 else "synthetic",
                "invalid": "duplicate" if i % 11 == 0 else "",
            }
        )
    return Sample(texts, 1_234, True, [])


@pytest.fixture
def show(browser, tmp_path):
    """Returns a function that writes a page and opens it; at the end the console has no error."""

    def show(parts=(), sample=None, title="A report", query="", **options):
        write_page(tmp_path / "report.html", title, "What is here.\n\nAnd more.", parts, sample, **options)
        browser.get("about:blank")
        browser.get((tmp_path / "report.html").as_uri() + query)
        return browser

    yield show
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture
def figure(tmp_path):
    """A figure as matplotlib writes it."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(4, 3))
    drawn.subplots().plot([0, 1], [1, 0])
    drawn.savefig(tmp_path / "curves.svg")
    return tmp_path / "curves.svg"


def fill(browser, name, value):
    """Puts a value into a field of the filters; of a choice the one that reads so."""
    field = browser.find_element("css selector", f"#filters [name={name}]")
    if field.tag_name == "select":
        browser.execute_script(CHOOSE, field, value)
    else:
        field.clear()
        field.send_keys(str(value))


def press(browser, selector):
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def browsed(browser):
    """The texts of all pages that match."""
    texts = []
    while True:
        texts += browser.execute_script(TEXTS)
        if browser.execute_script("return document.querySelector('.next').classList.contains('disabled')"):
            return texts
        press(browser, ".next")


def lower(column):
    """The key by which a column is sorted: a text's lower case."""
    return column.str.lower() if pd.api.types.is_string_dtype(column) else column


def frame_of(sample):
    frame = pd.DataFrame([{name: text[name] for name in COLUMNS} for text in sample.texts])
    for term in {name for text in sample.texts for name in text["terms"]}:
        for kind in ("raw", "contribution"):
            frame[f"{term}, {kind}"] = [text["terms"].get(term, {}).get(kind) for text in sample.texts]
    return frame


def test_what_is_on_the_page(show, crowd, figure):
    rounds = pd.DataFrame({"round": [0, 1], "accuracy": [0.5, 0.75]})
    parts = [
        Part("curves", "Learning curves", figure, "Of two agents."),
        Part("rounds", "Rounds", rounds, "All of them."),
    ]
    browser = show(parts, crowd, problems=[("runs/<b>", "torn & skipped")])
    assert browser.title == "A report"
    contents = browser.execute_script(
        "return [...document.querySelectorAll('nav a')].map(a => [a.hash, a.textContent])"
    )
    assert contents == [["#curves", "Learning curves"], ["#rounds", "Rounds"], ["#texts", "Generated texts"]]
    assert all(browser.find_elements("css selector", place) for place, _ in contents)
    assert browser.execute_script("return document.querySelector('figure img').naturalWidth") > 100
    assert browser.find_element("css selector", "figcaption").text == "Of two agents. curves.svg"
    files = [link.get_attribute("href") for link in browser.find_elements("css selector", "main a")]
    assert files == [figure.as_uri(), (figure.parent / "tables" / "rounds.csv").as_uri()]
    problems = browser.find_element("id", "problems").text
    assert problems == "1 problem with the runs\nruns/<b>: torn & skipped"
    first, heading = (browser.find_element("css selector", place).location["y"] for place in ("#problems", "#curves"))
    assert first < heading
    heads = browser.execute_script(
        "return [...document.querySelectorAll('#offers thead tr:first-child th')].map(h => h.innerText)"
    )
    assert heads[-3:] == ["reward", "signal", "clip(novelty, 0, 1)"]


def test_a_click_sorts_a_table_as_pandas_does(show):
    browser = show([Part("methods", "Methods", TABLE, "")])
    keys = {
        "area": lambda s: pd.to_numeric(s.str.replace("−", "-").str.split(" ").str[0]),
        "finished": lambda s: s.map({True: "yes", False: "no"}),
    }
    expected = TABLE
    for place, column in enumerate(TABLE):
        key = keys.get(column, lower)
        for up in (True, False, True):
            press(browser, f"#methods th:nth-child({place + 1}) button")
            expected = expected.sort_values(column, key=key, ascending=up, kind="stable", na_position="last")
            assert [row[0] for row in browser.execute_script(ROWS, "#methods")] == list(expected["method"])
    shown = {row[0]: row[1:] for row in browser.execute_script(ROWS, "#methods")}
    assert shown["SIGnAL"] == ["1,000", "0.810", "0.81 ± 0.02", "yes", "supported"]
    assert shown["random"] == ["200", "", "−0.5 ± 0.1", "no", "not supported"]


def test_verdicts_are_told_apart(show):
    browser = show([Part("claims", "Claims", TABLE, "")])
    script = "return [...document.querySelectorAll('#claims td')].map(c => [c.className, getComputedStyle(c).color])"
    cells = {kind: color for kind, color in browser.execute_script(script) if kind != "number"}
    assert set(cells) == {"supported", "not-supported", "undecided", ""}
    assert len(set(cells.values())) == 4


def test_a_large_table_says_what_it_leaves_out(show):
    browser = show([Part("rounds", "Rounds", pd.DataFrame({"n": range(1234)}), "All.")])
    assert (
        browser.find_element("css selector", "#rounds .caption").text == "All. The first 500 of 1,234 rows. rounds.csv"
    )
    assert len(browser.execute_script(ROWS, "#rounds")) == 500


def test_texts_sort_by_any_column_as_pandas_sorts_them(show, crowd):
    browser = show(sample=crowd)
    browser.execute_script("document.querySelector('.sorting').style.display = 'flex'")  # as on a narrow screen
    frame = frame_of(crowd).replace("", None)
    assert len(frame.columns) == 13
    for column in frame:
        fill(browser, "by", {"invalid": "validity"}.get(column, column))
        for order in ("ascending", "descending"):
            fill(browser, "order", order)
            up = order == "ascending"
            expected = frame.sort_values(column, ascending=up, kind="stable", key=lower)
            assert browsed(browser) == list(expected["text"])
    fill(browser, "by", "run and round")
    assert browsed(browser) == list(frame["text"])


def test_a_click_on_a_head_sorts_texts_and_another_turns_them_round(show, crowd):
    browser, frame = show(sample=crowd), frame_of(crowd)
    for column, up in (("round", False), ("round", True), ("text", True), ("text", False), ("reward", False)):
        press(browser, f"#offers thead th:nth-child({COLUMNS.index(column) + 1}) button")
        expected = frame.sort_values(column, ascending=up, kind="stable", key=lower)
        assert browser.execute_script(TEXTS) == list(expected["text"][:50])


FILTERS = (
    ({"method": "SIGnAL"}, lambda f: f["method"] == "SIGnAL"),
    ({"first": 3, "last": 5}, lambda f: f["round"].between(3, 5)),
    ({"least": 0.5}, lambda f: f["reward"] >= 0.5),
    (
        {"term": "clip(novelty, 0, 1), raw", "least": 0.2, "most": 0.6},
        lambda f: f["clip(novelty, 0, 1), raw"].between(0.2, 0.6),
    ),
    ({"label": "positive"}, lambda f: f["label"] == "positive"),
    ({"label": "never labeled"}, lambda f: f["label"] == ""),
    ({"invalid": "valid"}, lambda f: f["invalid"] == ""),
    ({"text": "A FINE"}, lambda f: f["text"].str.contains("a Fine")),
    (
        {"setting": "sst2-1", "origin": "synthetic", "label": "negative", "last": 9, "most": 1, "text": "dull"},
        lambda f: (
            (f["setting"] == "sst2-1")
            & (f["origin"] == "synthetic")
            & (f["label"] == "negative")
            & (f["round"] <= 9)
            & (f["reward"] <= 1)
            & f["text"].str.contains("dull")
        ),
    ),
    ({"text": "no such text"}, lambda f: f["text"] == "no such text"),
)


def test_filters_leave_what_pandas_leaves_and_the_address_says_so(show, crowd):
    browser, frame = show(sample=crowd), frame_of(crowd)
    addresses = []
    for fields, condition in FILTERS:
        for field, value in fields.items():
            fill(browser, field, value)
        expected = list(frame[condition(frame)].sort_values("reward", ascending=False, kind="stable")["text"])
        addresses.append((browser.execute_script("return location.hash"), expected))
        assert browser.find_element("css selector", "#texts .dt-info").text == f"{len(expected)} of 120 texts match"
        assert browsed(browser) == expected
        press(browser, "#filters [type=reset]")
        assert browser.find_element("css selector", "#texts .dt-info").text == "120 of 120 texts match"
    for address, expected in addresses[3:5]:
        assert 0 < len(expected) < 120
        assert browsed(show(sample=crowd, query=address)) == expected


def test_hostile_texts_are_shown_as_they_are_and_run_nothing(show, crowd, figure):
    rows = [
        crowd.texts[0]
        | {
            "text": text,
            "method": text,
            "setting": text,
            "label": text,
            "invalid": text,
            "terms": {text: {"raw": 1.0, "contribution": 0.0}},
        }
        for text in HOSTILE
    ]
    safe = [text for text in HOSTILE if "\0" not in text and "\ud800" not in text]
    table = pd.DataFrame({text: [text] for text in safe})
    sample = Sample(rows, 9, True, [(text, text) for text in HOSTILE])
    parts = [Part("odd", HOSTILE[0], table, HOSTILE[1]), Part("drawn", HOSTILE[3], figure, HOSTILE[4])]
    browser = show(parts, sample, title=HOSTILE[1], query="#texts?by=")
    assert browser.title == HOSTILE[1]
    units = [list(memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")) for text in HOSTILE]
    assert browser.execute_script(UNITS) == units
    assert browser.execute_script(ROWS, "#odd") == [safe]
    assert (
        browser.execute_script(
            "return document.querySelectorAll('main :is(b, i, u, img:not(figure img), script:not(#data))').length"
        )
        == 0
    )
    for text in safe:
        fill(browser, "method", " ".join(text.split()))
        assert browser.find_element("css selector", "#texts .dt-info").text == f"1 of {len(HOSTILE)} texts match"


def test_a_long_text_opens_on_a_click(show, crowd):
    browser = show(sample=Sample([crowd.texts[0] | {"text": "🎬" * 300}], 1, True, []))
    cell = browser.find_element("css selector", "#offers td.text")
    assert cell.text == "🎬" * 200 + "…"
    cell.find_element("tag name", "summary").click()
    assert cell.text.split("\n")[-1] == "🎬" * 300


def test_the_page_fits_a_phone(show, crowd, figure):
    parts = [Part("methods", "Methods", TABLE, ""), Part("curves", "Curves", figure, "Curves.")]
    browser = show(parts, crowd)
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
        fill(browser, "by", "round")
        fill(browser, "order", "ascending")
        assert browser.execute_script(TEXTS)[0] == frame_of(crowd).sort_values("round", kind="stable")["text"].iloc[0]
        cells = browser.find_elements("css selector", "#offers tr:first-child td")
        heights = [cell.location["y"] for cell in cells if cell.is_displayed()]
        assert heights.count(min(heights)) == 1
        assert heights.index(min(heights)) == COLUMNS.index("text")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_policy_lets_the_page_ask_for_nothing(show, browser):
    show([Part("methods", "Methods", TABLE, "")])
    script = """
    const done = arguments[0], refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    fetch("http://127.0.0.1:9/").catch(() => {});
    new Image().src = "http://127.0.0.1:9/image.png";
    document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 'ran'"}));
    document.body.insertAdjacentHTML("beforeend", "<p onclick=\\"document.title = 'ran'\\"></p>");
    document.body.lastChild.click();
    setTimeout(() => done([refused.sort(), document.title]), 200);
    """
    refused, title = browser.execute_async_script(script)
    assert refused == ["connect-src", "img-src", "script-src-attr", "script-src-elem"]
    assert title == "A report"
    browser.get_log("browser")  # the refusals


def test_names_that_are_no_files_are_refused(tmp_path):
    for parts in ([Part("a b", "", TABLE, "")], [Part("texts", "", TABLE, "")], [Part("a", "", TABLE, "")] * 2):
        with pytest.raises(ValueError, match="names of their own"):
            write_page(tmp_path / "page.html", "", "", parts)
    assert not (tmp_path / "page.html").exists()


def test_equal_reports_are_equal_pages(tmp_path, crowd):
    for name in "ab":
        write_page(tmp_path / name, "A report", "", [Part("methods", "Methods", TABLE, "")], crowd)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    own = (tmp_path / "a").stat().st_size - len(library().encode())
    assert math.isclose(own, 120 * 300, rel_tol=0.3)
