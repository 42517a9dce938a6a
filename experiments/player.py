"""The agent that plays a run: a registered name with options, a class, or an object of one's own."""

import copy
import dataclasses
import inspect
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from agents.agent import Agent, agents, get_agent
from signal_env.utils.errors import SignalError
from signal_env.utils.objects import content_hash, described, holds_object, is_description
from signal_env.utils.registry import UnknownName
from signal_env.utils.typed import typed_values

METHODS = ("reset", "act", "learn", "state_dict", "load_state_dict", "save", "close")
"""The methods of an agent."""


LISTED = 20
"""The largest number of known names that a message lists beside the one that is close."""


class RunError(SignalError, ValueError):
    """A run that cannot be played as described; the message says why and what to do."""


def player_of(agent: Any, options: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the name of an agent and the agent with its options.

    Args:
        agent: A registered name, a class of agents, or an agent. A class that is registered, and an object of one whose
            fields are plain data, are the same as its name.
        options: The options of a name or a class. The description of an object that a configuration file holds is
            returned as it is.

    Raises:
        RunError: If it is no agent, or has no such option.
        UnknownName: If no agent has this name.

    Example:
        >>> from agents.pool import pool_agent
        >>> player_of("entropy", {}), player_of(pool_agent("entropy"), {}), player_of(pool_agent("entropy")(), {})
        (('entropy', entropy()), ('entropy', entropy()), ('entropy', entropy()))
    """
    if isinstance(agent, str):
        return agent, options if is_description(options) else fill(get_agent(agent), options)
    of = agent_class(agent)
    missing = [name for name in METHODS if not callable(getattr(of, name, None))]
    if missing:
        raise RunError(
            f"Expected an agent's name, class or object; got {agent!r:.80}, which has no {', '.join(missing)}. Extend "
            "agents.agent.Agent, which has all methods but act."
        )
    if of.act is Agent.act:
        raise RunError(f"The agent {of.__name__} has no method act: def act(self, observations), a text per prompt.")
    name = name_of_agent(of)
    if isinstance(agent, type):
        return name, fill(of, options)
    if options:
        raise RunError(f"The agent is an object: set {', '.join(options)} when you make it.")
    fields = _options_of(agent)
    return name, agent if fields is None else fill(of, fields)


def agent_class(agent: Any) -> type[Any]:
    """Return the class of an agent that is given by its name, its class or as an object."""
    return get_agent(agent) if isinstance(agent, str) else agent if isinstance(agent, type) else type(agent)


def is_agent(name: str) -> bool:
    """Return whether an agent has this name."""
    try:
        get_agent(name)
    except UnknownName:
        return False
    return True


def name_of_agent(agent: Any) -> str:
    """Return the name of an agent: the one that it is registered by, else its class's."""
    if isinstance(agent, str):
        return agent
    of = agent_class(agent)
    return registered_name(of) or of.__name__


def registered_name(of: type) -> str | None:
    """Return the name under which a class of agents is registered, or None."""
    get_agent("random")  # registers the built-in ones
    return next((name for name in agents if agents[name] is of and dataclasses.is_dataclass(of)), None)


def plain_options(player: Any) -> Any:
    """Return a run's agent as plain data: the options of a registered name, else the description of the object."""
    if isinstance(player, Mapping):
        return dict(player)
    fields = _options_of(player)
    return described(player if fields is None else fields)


def given(name: str, player: Any) -> tuple[Any, Mapping[str, Any]]:
    """Return the agent and the options from which `player_of` makes a run's name and agent."""
    if isinstance(player, Mapping):
        return name, player
    fields = _options_of(player)
    return (player, {}) if fields is None else (name, fields)


def fresh(name: str, value: Any) -> Any:
    """Return a copy of an object that a run is given, which playing may change; plain data are returned as they are.

    Raises:
        RunError: If it cannot be copied; `name` says whose value it is.
    """
    if not holds_object(value):
        return value
    try:
        return copy.deepcopy(value)
    except Exception as error:  # whatever its class raises
        raise RunError(
            f"{name} is given as an object, and each run plays a copy of it, but it cannot be copied: "
            f"{type(error).__name__}: {error}. Give a name or a class, or write its __deepcopy__."
        ) from error


def _options_of(player: Any) -> dict[str, Any] | None:
    """Return the options from which an agent can be made by its name; None if that would not be the same agent."""
    of = type(player)
    if registered_name(of) is None:
        return None
    fields = {field.name: getattr(player, field.name) for field in dataclasses.fields(player) if field.init}
    same = not holds_object(fields) and content_hash(vars(of(**fields))) == content_hash(vars(player))
    return fields if same else None


def fill(of: type[Any], values: Mapping[str, Any], owner: str = "", types: type[Any] | None = None) -> Any:
    """Make an object from its options, see `signal_env.utils.typed`.

    Args:
        of: The class.
        values: The options.
        owner: Whose the options are, for the message; default: the class.
        types: The class that has the options' types; default: the class.

    Raises:
        RunError: If a name is none of the options, or a value is not of its type.
    """
    check_names(values, option_names(of), owner or of.__name__, "option " if owner else "")
    return of(**typed_values(values, types or of, RunError))


def option_names(of: type[Any]) -> list[str]:
    """Return the names of the options of a class: a dataclass's fields, else the parameters of its constructor.

    Raises:
        RunError: If a registered class is no dataclass.
    """
    if dataclasses.is_dataclass(of):
        return [field.name for field in dataclasses.fields(of) if field.init]
    if any(agents[name] is of for name in agents):
        raise RunError(
            f"{of.__name__} should be a dataclass, whose fields are its options: decorate it with @dataclass."
        )
    parameters = inspect.signature(of).parameters.values()
    return [each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]


def check_names(names: Iterable[str], known: Collection[str], owner: str, kind: str = "") -> None:
    """Raise a RunError if a name is none of the known ones.

    Args:
        names: The names.
        known: The known names. A long list of them is left out of the message where one is close.
        owner: Who has the known names, for the message.
        kind: What they are, as "option ".
    """
    for name in names:
        if name not in known:
            raise RunError(f"{owner} has no {kind}{name}.{suggestion(str(name), known)}")


def suggestion(name: str, known: Collection[str]) -> str:
    """Return the known name that is close to a name, and all known ones, as the end of a message.

    Example:
        >>> suggestion("entropi", ["entropy", "random"])
        " Did you mean 'entropy'? Known: entropy, random."
        >>> suggestion("seed", ["seeds", *map(str, range(20))])
        " Did you mean 'seeds'?"
    """
    close = get_close_matches(name, known, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return guess if close and len(known) > LISTED else f"{guess} Known: {', '.join(known) or 'none'}."


def refuse_descriptions(what: str, values: Mapping[str, Any]) -> None:
    """Raise a RunError if a run needs objects of which its configuration holds but the descriptions.

    Args:
        what: The run's folder.
        values: The agent and the environment's options, by name.
    """
    found = {name: value for name, value in values.items() if is_description(value)}
    if not found:
        return
    one, about = next(iter(found.items()))
    objects = ", ".join(f"{name}: {value['object']}" for name, value in found.items())
    raise RunError(
        f"{what} was played from Python with objects, which its config.yaml names but cannot hold ({objects}). Go on "
        f"with it from Python: call play with the same arguments and out={what!r}. To play from the command line, "
        f"register {about['object'].rpartition(':')[2]} in a file and give the file as --plugin and its name as {one}."
    )
