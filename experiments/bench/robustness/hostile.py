"""Texts that break what reads or writes them carelessly, drawn at random from a seed."""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Unicode's marks of direction."""

INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2061\u3164\ufe0f\ufeff\uffa0\U000e0001\U000e0061"
"""Characters without width, among them those of emoji sequences and tags."""

CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
"""The control characters, from NUL on."""

SEPARATORS = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"
"""Characters that some readers take for the end of a line."""

FORMS = ("NFC", "NFD", "NFKC", "NFKD")

ACCENTED = "Crème brûlée à l’été, ﬁn ½ Å Ω ①"
"""A text with another spelling in each normalization form."""

WORDS = ("a", "film", "warm", "dull", "superb", "plot", "never", "drags", "cast", "and", "the", "ending", "of", "quite")

CSV = ("=cmd|' /C calc'!A0", '"a","b\n', "1,2;3\t4", '""",""', "+SUM(A1:A9)", "@x", "-1+1", "a\r\nb,c", "'=HYPERLINK()")
JSON = ('{"text": "x", "reward": 1e999}', '"}\n{"round": 0}', "\\u0000\\ud800", "\\", '\\"', "[NaN, Infinity]", "null")
HTML = (
    *("<script>alert(1)</script>", "</script><!--", "<img src=x onerror=alert(1)>", "</td></tr></table>", "&lt;&#0;"),
    *("<style>*{display:none}", "]]>", "<!DOCTYPE x>", "{{ 7*7 }}{% raw %}", "javascript:a()", "[a](http://b) | c"),
)
ANSI = (
    *("\x1b[2J\x1b[H", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b1m", "\x1b]8;;http://x\x1b\\link"),
    *("\b\b\r", "[bold red]x[/]"),
)
FIELDS = (
    *("Question: a Sentence: b", "Question: Question: a Sentence: Sentence: b", "Sentence: b Question: a"),
    *("Question: ", "Question: a Sentence:", "Question:a Sentence:b", "question: a sentence: b"),
    *("Question: a\nSentence: b\nSentence: c", "Sentence: Sentence: ", "Question: Sentence: a"),
    *("Question: Sentence\\: a Sentence: b", "Question: \\ Sentence: \\\\:", "Question: \u200b Sentence: \u200b"),
)

Draw = Callable[[np.random.Generator, "Shown"], str]


class Shown:
    """What an action may be made from.

    Attributes:
        prompt: The prompt that it answers.
        real: The real texts of the unlabeled set.
        earlier: The actions before it.
    """

    def __init__(self, prompt: str, real: Sequence[str], earlier: Sequence[str]) -> None:
        self.prompt, self.real, self.earlier = prompt, real, earlier


def hostile(seed: int, index: int, shown: Shown) -> tuple[str, str]:
    """Return the kind and the text of an action, which depends on the seed, its index and what is shown alone.

    Example:
        >>> shown = Shown("Write one:", ["a film"], ["b"])
        >>> hostile(0, 16, shown), hostile(0, 1, shown) == hostile(0, 1, shown)
        (('real', 'a film'), True)
    """
    rng = np.random.default_rng([seed, index])
    kind = KINDS[index % len(KINDS)]  # each as often as every other
    return kind, DRAWS[kind](rng, shown)


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))] if len(choices) else ""


def _sentence(rng: np.random.Generator) -> str:
    return " ".join(_pick(rng, WORDS) for _ in range(int(rng.integers(2, 12))))


def _within(rng: np.random.Generator, strange: str) -> str:
    """Return a sentence with something strange in it, written for a task of two fields in one of three cases."""
    words = _sentence(rng).split()
    place = int(rng.integers(len(words) + 1))
    text = " ".join([*words[:place], strange, *words[place:]])
    return f"Question: {_sentence(rng)}? Sentence: {text}" if rng.random() < 1 / 3 else text


def _of_planes(rng: np.random.Generator, _: Shown) -> str:
    """Return characters of one of Unicode's 17 planes, assigned or not, without surrogates."""
    plane = int(rng.integers(17))
    codes = plane * 0x10000 + rng.integers(0x10000, size=int(rng.integers(1, 40)))
    return _within(rng, "".join(chr(int(code)) for code in codes if not 0xD800 <= code <= 0xDFFF))


def _characters(rng: np.random.Generator, alphabet: str) -> str:
    return "".join(_pick(rng, alphabet) for _ in range(int(rng.integers(1, 20))))


def _combined(rng: np.random.Generator, _: Shown) -> str:
    marks = "".join(chr(int(code)) for code in rng.integers(0x300, 0x370, size=int(rng.integers(1, 60))))
    return _within(rng, _pick(rng, "aeo") + marks)


def _normalized(rng: np.random.Generator, _: Shown) -> str:
    text = f"{ACCENTED} {_pick(rng, WORDS)}"
    return unicodedata.normalize(_pick(rng, FORMS), text)  # type: ignore[arg-type]


def _long(rng: np.random.Generator, _: Shown) -> str:
    """Return a line of 100 kB, which is rare: one in forty of its kind; else one at the limit of 2,000 characters."""
    unit = _pick(rng, ("word ", "x", "é", "🙂", "\u202e", "<b>", '"', "Sentence: "))
    size = 100_000 if rng.random() < 1 / 40 else int(rng.integers(1_990, 2_010))
    return (f"{rng.integers(10**9)} " + unit * (size // len(unit.encode()) + 1))[:size]


def _empty(rng: np.random.Generator, _: Shown) -> str:
    return _pick(rng, ("", " ", "\n\t", "\u3000", "\0", "\x7f", "\u200b", "\ufeff", "\x85", "\xa0"))


def _again(rng: np.random.Generator, shown: Shown) -> str:
    text = _pick(rng, shown.earlier[-200:])
    return _pick(rng, (text, f" {text}\n", text.replace(" ", "\u2003")))


DRAWS: dict[str, Draw] = {
    "planes": _of_planes,
    "surrogates": lambda rng, _: _within(rng, _characters(rng, "\ud800\udbff\udc00\udfff")),
    "controls": lambda rng, _: _within(rng, _characters(rng, CONTROLS)),
    "separators": lambda rng, _: _within(rng, _characters(rng, SEPARATORS + "\r\n")),
    "directions": lambda rng, _: _within(rng, _characters(rng, BIDI + "abאב")),
    "invisible": lambda rng, _: _within(rng, _characters(rng, INVISIBLE + "👩🚀")),
    "combined": _combined,
    "normalization": _normalized,
    "long": _long,
    "CSV": lambda rng, _: _pick(rng, CSV) + _within(rng, _pick(rng, CSV)),
    "JSON": lambda rng, _: _within(rng, _pick(rng, JSON)),
    "HTML": lambda rng, _: _within(rng, _pick(rng, HTML)),
    "ANSI": lambda rng, _: _within(rng, _pick(rng, ANSI)),
    "fields": lambda rng, _: _pick(rng, FIELDS) + _pick(rng, ("", _sentence(rng))),
    "prompt": lambda rng, shown: _pick(rng, (shown.prompt, shown.prompt[-300:], _within(rng, shown.prompt))),
    "empty": _empty,
    "real": lambda rng, shown: _pick(rng, shown.real),
    "again": _again,
}
KINDS = tuple(DRAWS)
"""The kinds of hostile texts."""
