"""The reward function of an OpenRLHF training: each response is a text that is offered to a served experiment.

Usage: python -m openrlhf.cli.train_ppo_ray --data.prompt_dataset prompts.parquet --data.input_key prompt \
    --data.label_key text --data.apply_chat_template --reward.remote_url examples/openrlhf_reward.py ...

The environment variables SIGNAL_ENV_URL and END_TOKEN name the service and the model's end token.
"""

import os
from functools import cache

import torch

from signal_env.shared.client import Client
from signal_env.utils.answers import Answer

END = os.environ.get("END_TOKEN", "<|im_end|>")


@cache
def connected():
    """Return the service's client, the rule for answers, and the names of the reward terms."""
    experiment = Client(os.environ.get("SIGNAL_ENV_URL", "http://127.0.0.1:8000"))
    state = experiment.state()
    return experiment, Answer(fields=state.field_names), tuple(state.weights)


def reward_func(queries, prompts, labels):
    """Return rewards and contributions. A query is a prompt with its response; a label, the prompt without template."""
    experiment, answer, terms = connected()
    responses = [query.removeprefix(prompt).split(END)[0] for query, prompt in zip(queries, prompts, strict=True)]
    offered = experiment.offer([answer.text(response) for response in responses], labels)
    rewards = torch.tensor(offered.rewards, dtype=torch.float32)
    logs = {name: torch.tensor(offered.term(name), dtype=torch.float32) for name in terms}
    return {"rewards": rewards, "scores": rewards, "extra_logs": logs}
