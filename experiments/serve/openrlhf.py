"""The requests that OpenRLHF sends to the URL of a reward model, and their answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.serve.request import BadRequest, Bounds, Request, texts_of
from signal_env.utils.answers import Answer


def queried(body: Mapping[str, Any], ends: Sequence[str], answer: Answer, bounds: Bounds) -> Request:
    """Return the offer that a request's body describes.

    A query is a prompt in its chat template followed by its response, with special tokens. A label is the prompt
    without the template, or "".

    Args:
        body: The request's body, with the lists "query", "prompts" and "labels".
        ends: The tokens at which a response ends.
        answer: The rule by which a text is found in a response.
        bounds: The bounds of requests.

    Raises:
        BadRequest: If the body is not valid.

    Example:
        >>> body = {"query": ["Write.[/INST] a warm film</s>"], "prompts": ["Write.[/INST]"], "labels": ["Write."]}
        >>> change = queried(body, ["</s>"], Answer(), Bounds())
        >>> change.texts, change.prompts
        (('a warm film',), ('Write.',))
    """
    if "" in ends:
        raise BadRequest("'end' must be the token that ends a response, as in ?end=%3C%7Cim_end%7C%3E; it is empty.")
    lists: dict[str, Any] = {name: body.get(name) for name in ("query", "prompts", "labels")}
    if any(not isinstance(each, list) or not all(isinstance(one, str) for one in each) for each in lists.values()):
        raise BadRequest("The request needs three lists of strings: 'query', 'prompts' and 'labels'.")
    queries, prompts, labels = lists.values()
    if not len(queries) == len(prompts) == len(labels):
        raise BadRequest(f"Expected lists of one length; got {len(queries)}, {len(prompts)} and {len(labels)}.")
    responses = [query.removeprefix(prompt) for query, prompt in zip(queries, prompts, strict=True)]
    for end in ends:
        responses = [response.split(end)[0] for response in responses]
    texts = [answer.text(response) for response in responses]
    return Request("offer", None, 0, *texts_of({"texts": texts, "prompts": labels}, bounds))


def rewarded(answer: Mapping[str, Any], weights: Mapping[str, float]) -> dict[str, Any]:
    """Return the rewards of an offer's answer, and the contributions of its terms for the trainer's logs."""
    rows = [info["reward_terms"] for info in answer["infos"]]
    logs = {name: [row.get(name, {}).get("contribution", 0.0) for row in rows] for name in weights}
    return {"rewards": answer["rewards"], "scores": answer["rewards"], "extra_logs": logs}
