"""Checks that a language model reads a prompt as it is meant, before anything is played."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from signal_env.classifiers.checkpoints import ModelError, base_of
from signal_env.classifiers.gguf import checkpoint_of
from signal_env.config import ConfigError

KEPT = 0.9
"""The least fraction of a prompt's characters that its tokens must hold. A rare character may be unknown."""

STYLES = ("chat", "continuation", None)

TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""Texts that spell truth values, in lower case."""


def chat_template(tokenizer: Any, name: str, style: str | None, options: Mapping[str, Any]) -> str | None:
    """Return the chat template through which prompts go; None if they go to the model as they are.

    Args:
        tokenizer: The model's tokenizer.
        name: The model's name, for messages.
        style: "chat", "continuation", or None for the model's default.
        options: The template's options.

    Raises:
        ConfigError: If the style is unknown, or an option is none of the template's.
        ModelError: If the style is "chat", and the tokenizer has no template, or several without a default.
    """
    if style not in STYLES:
        raise ConfigError(f"prompt_style must be 'chat', 'continuation' or None; got {style!r}.")
    try:
        template = tokenizer.get_chat_template() if tokenizer.chat_template and style != "continuation" else None
    except ValueError as error:  # there are several templates, and none is the default
        raise ModelError(
            f"The tokenizer of {name} has the chat templates {', '.join(sorted(tokenizer.chat_template))}, and no "
            "'default': save it with one chat_template, or give prompt_style='continuation'."
        ) from error
    if template is None and style == "chat":
        raise ModelError(f"The tokenizer of {name} has no chat template: give prompt_style='continuation'.")
    if template is None and options:
        raise ConfigError(
            f"template_options are for a chat template, and {name} is prompted without one; got {dict(options)!r}."
        )
    for option in options:
        if not re.search(rf"\b{re.escape(option)}\b", template or ""):
            raise ConfigError(f"The chat template of {name} has no option {option!r}; see its chat_template.jinja.")
    return template


def template_values(template: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a chat template, with truth values for texts that spell them.

    Any text is true in a template, "false" too. One that the template itself has in quotes stays a text.

    Example:
        >>> template_values("{% if thinks %}...", {"thinks": "false", "effort": "high"})
        {'thinks': False, 'effort': 'high'}
        >>> template_values("{% if thinking == 'off' %}...", {"thinking": "off"})
        {'thinking': 'off'}
    """

    def value(given: Any) -> Any:
        named = re.search(rf"[\"']{re.escape(str(given))}[\"']", template or "")
        return given if named or not isinstance(given, str) else TRUTH.get(given.strip().lower(), given)

    return {option: value(given) for option, given in options.items()}


def check_trainable(name: str) -> None:
    """Raise a `ModelError` if a model is a LoRA adapter, in whose place the trainers would put a new one."""
    if base := base_of(checkpoint_of(name, "generator")):
        raise ModelError(
            f"{name} is a LoRA adapter, and the agents that learn begin with one of their own: train its base "
            f"({base}), or merge it and save the whole model with its tokenizer (merge_and_unload of peft)."
        )


def rendered(tokenizer: Any, name: str, message: Sequence[Mapping[str, str]], options: Mapping[str, Any]) -> str:
    """Return a message in the chat template.

    Raises:
        ModelError: If the template refuses it.
    """
    from jinja2 import TemplateError

    try:
        shown: str = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True, **options)
    except (TemplateError, TypeError, ValueError) as error:
        raise ModelError(
            f"The chat template of {name} refuses a prompt, which is one message of the user: {error}. Give "
            "prompt_style='continuation', which leaves the template out, or other template_options."
        ) from error
    return shown


def check_ends(name: str, ends: Sequence[int], vocabulary: int) -> None:
    """Raise a ModelError if an end token is none of the model's tokens."""
    wrong = [token for token in ends if not 0 <= token < vocabulary]
    if wrong:
        raise ModelError(
            f"The end tokens of {name} include {wrong}, and the model has the tokens 0 to {vocabulary - 1}: correct "
            "eos_token_id in its generation_config.json."
        )


def check_prompt(tokenizer: Any, name: str, shown: str, tokens: Sequence[int], ends: Sequence[int]) -> None:
    """Check that the tokens of a prompt hold the prompt, and nothing that would end it.

    Raises:
        ModelError: If the tokens lack much of the prompt, end with an end token, or begin with two start tokens.
    """
    if tokens and tokens[-1] in (*ends, tokenizer.sep_token_id):
        raise ModelError(
            f"The tokenizer of {name} ends a prompt with {tokenizer.convert_ids_to_tokens(tokens[-1])!r}, after which "
            "there is nothing to write: set add_eos_token to false in its tokenizer_config.json, or change its chat "
            "template."
        )
    start = tokenizer.bos_token_id
    if start is not None and list(tokens[:2]) == [start, start]:
        raise ModelError(
            f"The tokenizer of {name} begins a prompt with {tokenizer.bos_token!r} twice: leave it out of the chat "
            "template, or set add_bos_token to false in its tokenizer_config.json."
        )
    read = tokenizer.decode(tokens, skip_special_tokens=True)
    expected = _characters(shown)
    kept = (expected & _characters(read)).total() / max(1, expected.total())
    if kept < KEPT:
        raise ModelError(
            f"The tokenizer of {name} keeps {kept:.0%} of a prompt's characters. It was shown {shown[-80:]!r} and "
            f"reads {read[-80:]!r}: give the tokenizer that the model was trained with, or another chat template."
        )


def _characters(text: str) -> Counter[str]:
    """Return how often each character occurs, without case, accents and white space, which tokenizers may drop."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return Counter(char for char in plain if not char.isspace() and not unicodedata.combining(char))
