"""The space of texts: membership, sampling, and Gymnasium's utilities."""

import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Text
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, is_space_dtype_shape_equiv, unflatten
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, create_shared_memory, iterate
from gymnasium.wrappers.utils import create_zero_array
from hypothesis import given
from hypothesis import strategies as st

from signal_env.spaces import ALPHABET, Unicode, is_utf8

MAX = 40
texts = st.text(max_size=MAX)  # Hypothesis generates every character but lone surrogates.
surrogates = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"])


def letters(*characters):
    """Return a mask that allows only these characters."""
    return np.array([character in characters for character in ALPHABET], dtype=np.int8)


# Membership.


@given(texts)
def test_holds_every_text_that_utf8_can_write(text):
    text.encode("utf-8")
    assert text in Unicode(MAX)


FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"  # One emoji of five characters.
LANGUAGES = [
    "",
    "a",
    "naïve",
    "שלום עולם",
    "\u202eright to left",
    "日本語",
    "🙂",
    FAMILY,
    "\0",
    "a\tb\n",
    "e\u0301",
    "\uffff",
]


@pytest.mark.parametrize("text", LANGUAGES)
def test_holds_texts_of_any_language(text):
    assert text in Unicode(MAX)


@given(st.text(max_size=10), surrogates, st.text(max_size=10))
def test_rejects_lone_surrogates_anywhere(before, surrogate, after):
    text = before + surrogate + after
    with pytest.raises(UnicodeEncodeError):
        text.encode("utf-8")
    assert text not in Unicode(MAX)
    assert not is_utf8(text)


@pytest.mark.parametrize("value", [None, 3, 2.5, b"bytes", ["a"], ("a",), np.array("a"), {"a": 1}])
def test_holds_nothing_but_str(value):
    assert value not in Unicode(MAX)


def test_holds_the_strings_of_numpy():
    assert np.str_("from an array") in Unicode(MAX)


def test_lengths_are_counted_in_characters_and_both_ends_are_allowed():
    space = Unicode(4, min_length=2)
    assert ["a" * n in space for n in range(7)] == [False, False, True, True, True, False, False]
    assert "🙂" * 4 in space  # 16 bytes, 4 characters
    assert "" in Unicode(0)
    assert "a" not in Unicode(0)


@pytest.mark.parametrize(("shortest", "longest"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_lengths_are_refused(shortest, longest):
    with pytest.raises(ValueError, match=f"min_length <= max_length; got {shortest} and {longest}"):
        Unicode(longest, min_length=shortest)


# Sampling.


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 60))
def test_samples_lie_in_the_space(seed, shortest, more):
    space = Unicode(shortest + more, min_length=shortest, seed=seed)
    for _ in range(20):
        text = space.sample()
        assert type(text) is str
        assert text in space


def test_equal_seeds_draw_equal_texts():
    first, second, other = Unicode(100, seed=3), Unicode(100), Unicode(100, seed=4)
    second.seed(3)
    drawn = [first.sample() for _ in range(20)]
    assert drawn == [second.sample() for _ in range(20)]
    assert drawn != [other.sample() for _ in range(20)]


def test_samples_reach_both_ends_and_many_scripts():
    space = Unicode(3, min_length=1, seed=0)
    drawn = [space.sample() for _ in range(2000)]
    assert {len(text) for text in drawn} == {1, 2, 3}
    assert set("".join(drawn)) == set(ALPHABET)


def test_short_samples_are_as_likely_as_long_ones_on_a_log_scale():
    space = Unicode(999, seed=0)
    sizes = 1 + np.array([len(space.sample()) for _ in range(3000)])
    # 1 + length is log-uniform on [1, 1001): a third lies under 10, a third from 10 to 100, a third from 100.
    shares = [np.mean(sizes < 10), np.mean((sizes >= 10) & (sizes < 100)), np.mean(sizes >= 100)]
    # The standard error of a fraction of 1/3 in 3000 draws is 0.009.
    assert shares == pytest.approx([1 / 3] * 3, abs=0.045)


def test_a_mask_limits_characters_and_length():
    space = Unicode(10, seed=0)
    drawn = [space.sample(mask=(7, letters("x", "🙂"))) for _ in range(30)]
    assert {len(text) for text in drawn} == {7}
    assert set("".join(drawn)) == {"x", "🙂"}
    assert {len(space.sample(mask=(None, letters("x")))) for _ in range(200)} == set(range(11))
    assert len(space.sample(mask=(4, None))) == 4


def test_a_probability_weighs_characters():
    weights = np.zeros(len(ALPHABET))
    weights[[ALPHABET.index("a"), ALPHABET.index("b")]] = 0.9, 0.1
    text = Unicode(2000, seed=0).sample(probability=(2000, weights))
    assert set(text) == {"a", "b"}
    assert text.count("a") / 2000 == pytest.approx(0.9, abs=0.034)  # Five standard errors of sqrt(0.9 * 0.1 / 2000).


def test_a_mask_without_characters_gives_the_empty_text_or_an_error():
    nothing = np.zeros(len(ALPHABET), dtype=np.int8)
    assert Unicode(5).sample(mask=(None, nothing)) == ""
    with pytest.raises(ValueError, match="no empty text"):
        Unicode(5, min_length=1).sample(mask=(None, nothing))


def test_bad_masks_are_refused():
    space = Unicode(5, min_length=1)
    with pytest.raises(ValueError, match="got both"):
        space.sample(mask=(None, letters("a")), probability=(None, letters("a").astype(float)))
    for length in (0, 6):
        with pytest.raises(ValueError, match=f"from 1 to 5; got {length}"):
            space.sample(mask=(length, None))
    for weights in (np.ones(3), -np.ones(len(ALPHABET))):
        with pytest.raises(ValueError, match=rf"{len(ALPHABET)} weights of at least 0"):
            space.sample(probability=(None, weights))


# Equality, representation, copies.


def test_equality_is_that_of_the_lengths():
    assert Unicode(5) == Unicode(5, seed=3)
    assert Unicode(5) != Unicode(6)
    assert Unicode(5) != Unicode(5, min_length=1)
    assert Unicode(5) != Text(5)
    assert Unicode(5) != "Unicode(0, 5)"
    assert Dict(prompt=Unicode(5)) == Dict(prompt=Unicode(5))
    assert Dict(prompt=Unicode(5)) != Dict(prompt=Unicode(6))


def test_representation_is_short_and_only_an_f_string_has_the_hint():
    space = Unicode(2000, min_length=1, hint="wrap it")
    assert repr(space) == str(space) == f"{Unicode(2000, min_length=1)}" == "Unicode(1, 2000)"
    assert f"{space}" == "Unicode(1, 2000) (wrap it)"
    assert str(batch_space(space, 2)) == "Tuple(Unicode(1, 2000), Unicode(1, 2000))"
    assert pickle.loads(pickle.dumps(space)).hint == "wrap it"


def test_a_pickled_space_keeps_its_random_state():
    space = Unicode(50, min_length=2, seed=1)
    space.sample()
    copy = pickle.loads(pickle.dumps(space))
    assert copy == space
    assert [copy.sample() for _ in range(5)] == [space.sample() for _ in range(5)]


@given(st.lists(texts, max_size=5))
def test_samples_survive_json(batch):
    space = Unicode(MAX)
    assert space.from_jsonable(json.loads(json.dumps(space.to_jsonable(batch)))) == batch


# Flattening.


@given(texts)
def test_flattened_texts_come_back_and_lie_in_the_flat_space(text):
    space = Unicode(MAX)
    flat = flatten(space, text)
    assert flat in flatten_space(space)
    assert flat.shape == (flatdim(space),) == (MAX,)
    assert unflatten(space, flat) == text


def test_the_flat_form_is_the_code_points():
    assert flatten(Unicode(4), "aé🙂").tolist() == [97, 233, 128578, -1]
    assert flatten_space(Unicode(4)).dtype == np.int32


def test_texts_that_differ_by_nul_stay_different_when_flattened():
    flat = [flatten(Unicode(2), text).tolist() for text in ("", "\0", "\0\0")]
    assert len({tuple(one) for one in flat}) == 3


@given(texts, st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3))
def test_a_flattened_observation_comes_back(prompt, numbers):
    space = Dict(prompt=Unicode(MAX), classifier=Box(-1, 1, (3,), np.float32))
    observation = {"prompt": prompt, "classifier": np.array(numbers, np.float32)}
    flat = flatten(space, observation)
    assert flat in flatten_space(space)
    assert data_equivalence(unflatten(space, flat), dict(observation), exact=True)


# Vectorization.


def test_equivalent_spaces_have_equal_lengths():
    assert is_space_dtype_shape_equiv(Unicode(5), Unicode(5))
    assert not is_space_dtype_shape_equiv(Unicode(5), Unicode(6))
    assert not is_space_dtype_shape_equiv(Unicode(5), Box(0, 1, (5,)))
    assert not is_space_dtype_shape_equiv(Box(0, 1, (5,)), Unicode(5))


def test_a_batch_holds_a_text_per_environment_each_drawn_anew():
    batch = batch_space(Unicode(200, seed=5), n=4)
    drawn = batch.sample()
    assert drawn in batch
    assert len(set(drawn)) == 4
    assert ("a", "b", "c", "d" * 200) in batch
    assert ("a", "b", "c", "d" * 201) not in batch
    assert ("a", "b", "c") not in batch


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_concatenated_batch_is_iterated_text_by_text(batch):
    space = Unicode(MAX)
    together = concatenate(space, batch, create_empty_array(space, n=len(batch)))
    assert together in batch_space(space, n=len(batch))
    assert list(iterate(batch_space(space, n=len(batch)), together)) == batch


def test_observations_with_texts_are_batched_and_taken_apart():
    space = Dict(prompt=Unicode(20), count=Discrete(9))
    observations = [{"prompt": "a", "count": 3}, {"prompt": "שלום", "count": 4}]
    together = concatenate(space, observations, create_empty_array(space, n=2))
    assert together["prompt"] == ("a", "שלום")
    assert together["count"].tolist() == [3, 4]
    assert together in batch_space(space, n=2)
    one, two = iterate(batch_space(space, n=2), together)
    assert [one["prompt"], two["prompt"]] == ["a", "שלום"]


@pytest.mark.parametrize("shortest", [0, 3])
def test_empty_and_zero_texts_lie_in_the_space(shortest):
    space = Unicode(5, min_length=shortest)
    assert create_zero_array(space) in space
    assert create_empty_array(space, n=2) in batch_space(space, n=2)
    assert create_zero_array(Dict(prompt=space)) in Dict(prompt=space)


def test_shared_memory_is_refused_with_the_way_out():
    for space in (Unicode(5), Dict(prompt=Unicode(5), classifier=Box(0, 1))):
        with pytest.raises(TypeError, match=r"shared_memory=False.*AsyncVectorEnv"):
            create_shared_memory(space, n=2)


class Echo(gym.Env):
    """An environment whose observation is the last action."""

    observation_space = Dict(prompt=Unicode(30))
    action_space = Unicode(30)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return {"prompt": "start"}, {}

    def step(self, action):
        return {"prompt": action}, float(len(action)), False, False, {}


def test_an_asynchronous_vector_environment_refuses_shared_memory():
    with pytest.raises(TypeError, match="shared_memory=False"):
        AsyncVectorEnv([Echo, Echo])


def test_an_asynchronous_vector_environment_carries_texts_unshared():
    envs = AsyncVectorEnv([Echo, Echo], shared_memory=False)
    try:
        first, _ = envs.reset(seed=0)
        second, rewards, *_ = envs.step(("🙂", "a longer text"))
    finally:
        envs.close()
    assert first["prompt"] == ("start", "start")
    assert second["prompt"] == ("🙂", "a longer text")
    assert rewards.tolist() == [1.0, 13.0]


@given(texts, texts)
def test_gymnasium_compares_texts_by_value(one, other):
    assert data_equivalence({"prompt": one}, {"prompt": "".join(list(one))}, exact=True)
    assert data_equivalence({"prompt": one}, {"prompt": other}, exact=True) == (one == other)
