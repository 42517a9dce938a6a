"""Registries: a plain name for every plug-in, and helpful errors for the others."""

import pickle

import pytest

from signal_env.utils.registry import Registry, UnknownName


@pytest.fixture
def colours():
    registry = Registry("colour")
    for name in ("red", "blue", "green"):
        registry.register(name)(name.upper())
    return registry


def test_what_is_registered_is_found_by_name(colours):
    assert colours["red"] == "RED"


def test_the_decorator_gives_back_what_it_decorates():
    registry = Registry("function")

    @registry.register("double")
    def double(x):
        return 2 * x

    assert double(4) == 8
    assert registry["double"] is double


def test_names_are_listed_in_alphabetical_order(colours):
    assert list(colours) == ["blue", "green", "red"]


def test_membership_is_by_name(colours):
    assert "red" in colours
    assert "RED" not in colours
    assert None not in colours


def test_an_unknown_name_lists_the_known_ones_and_guesses(colours):
    with pytest.raises(UnknownName) as caught:
        colours["gren"]
    assert str(caught.value) == "Unknown colour 'gren'. Did you mean 'green'? Known: blue, green, red."


@pytest.mark.parametrize("name", ["something else altogether", "", None, 3])
def test_a_name_like_no_other_gets_no_guess(colours, name):
    with pytest.raises(UnknownName) as caught:
        colours[name]
    assert str(caught.value) == f"Unknown colour {name!r}. Known: blue, green, red."


def test_an_empty_registry_says_so():
    with pytest.raises(UnknownName, match=r"Unknown colour 'red'\. Known: none\."):
        Registry("colour")["red"]


def test_an_unknown_name_is_a_value_error(colours):
    with pytest.raises(ValueError, match="Known: blue, green, red"):
        colours["pink"]


def test_an_unknown_name_survives_the_way_between_processes():
    error = UnknownName("colour", "pink", ["blue", "red"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is UnknownName
    assert str(copy) == str(error)


def test_a_name_is_not_given_twice(colours):
    with pytest.raises(ValueError, match="The colour 'red' is registered already; choose another name"):
        colours.register("red")("crimson")
    assert colours["red"] == "RED"


def test_registering_the_same_thing_again_changes_nothing(colours):
    colours.register("red")(colours["red"])
    assert list(colours) == ["blue", "green", "red"]


def test_registries_do_not_share_names(colours):
    assert "red" not in Registry("colour")


def test_what_a_notebook_defines_may_be_defined_again(colours):
    def make():
        def violet():
            return "violet"

        violet.__module__, violet.__qualname__ = "__main__", "violet"
        return violet

    first, again, other = make(), make(), make()
    other.__qualname__ = "lilac"
    colours.register("violet")(first)
    colours.register("violet")(again)
    assert colours["violet"] is again
    with pytest.raises(ValueError, match="registered already"):
        colours.register("violet")(other)


def test_a_decorator_without_a_name_is_an_error(colours):
    with pytest.raises(TypeError, match=r"@register\('name'\)"):

        @colours.register
        def violet():
            return "violet"
