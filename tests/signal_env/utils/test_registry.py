"""Registries: lookup by name, registration, and error messages for unknown names."""

import pickle
import shutil

import pytest

from signal_env.utils.registry import Registry, UnknownName, undone_on_error


@pytest.fixture
def colors():
    registry = Registry("color")
    for name in ("red", "blue", "green"):
        registry.register(name)(name.upper())
    return registry


def test_an_entry_is_found_by_its_name(colors):
    assert colors["red"] == "RED"


def test_the_decorator_returns_the_decorated_object():
    registry = Registry("function")

    @registry.register("double")
    def double(x):
        return 2 * x

    assert double(4) == 8
    assert registry["double"] is double


def test_names_are_listed_in_alphabetical_order(colors):
    assert list(colors) == ["blue", "green", "red"]


def test_membership_is_by_name(colors):
    assert "red" in colors
    assert "RED" not in colors
    assert None not in colors


def test_an_unknown_name_lists_the_known_ones_and_guesses(colors):
    with pytest.raises(UnknownName) as caught:
        colors["gren"]
    assert str(caught.value) == "Unknown color 'gren'. Did you mean 'green'? Known: blue, green, red."


@pytest.mark.parametrize("name", ["something else altogether", "", None, 3])
def test_a_name_like_no_other_gets_no_guess(colors, name):
    with pytest.raises(UnknownName) as caught:
        colors[name]
    assert str(caught.value) == f"Unknown color {name!r}. Known: blue, green, red."


def test_an_empty_registry_says_so():
    with pytest.raises(UnknownName, match=r"Unknown color 'red'\. Known: none\."):
        Registry("color")["red"]


def test_an_unknown_name_is_a_value_error(colors):
    with pytest.raises(ValueError, match="Known: blue, green, red"):
        colors["pink"]


def test_an_unknown_name_error_can_be_pickled():
    error = UnknownName("color", "pink", ["blue", "red"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is UnknownName
    assert str(copy) == str(error)


def test_a_name_is_not_given_twice(colors):
    with pytest.raises(ValueError, match="The color 'red' is already registered; choose another name"):
        colors.register("red")("crimson")
    assert colors["red"] == "RED"


def test_registering_the_same_thing_again_changes_nothing(colors):
    colors.register("red")(colors["red"])
    assert list(colors) == ["blue", "green", "red"]


def test_registries_do_not_share_names(colors):
    assert "red" not in Registry("color")


def test_an_entry_from_a_notebook_may_be_redefined(colors):
    def make():
        def violet():
            return "violet"

        violet.__module__, violet.__qualname__ = "__main__", "violet"
        return violet

    first, again, other = make(), make(), make()
    other.__qualname__ = "lilac"
    colors.register("violet")(first)
    colors.register("violet")(again)
    assert colors["violet"] is again
    with pytest.raises(ValueError, match="already registered"):
        colors.register("violet")(other)


def test_a_decorator_without_a_name_is_an_error(colors):
    with pytest.raises(TypeError, match=r"@register\('name'\)"):

        @colors.register
        def violet():
            return "violet"


def fail_after(registry, name, entry):
    with undone_on_error():
        registry.register(name)(entry)
        raise KeyError(name)


def test_what_a_failed_block_registered_is_taken_back(colors):
    with pytest.raises(KeyError):
        fail_after(colors, "pink", "PINK")
    assert not colors.has("pink")
    with undone_on_error():
        colors.register("pink")("PINK")
    assert colors.has("pink")


def test_what_a_module_that_stays_imported_registered_is_kept(colors):
    """It would not register it again."""
    with pytest.raises(KeyError):
        fail_after(colors, "copy", shutil.copy)
    assert colors["copy"] is shutil.copy
