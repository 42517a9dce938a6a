"""The reward function of a verl training: each response is a text that is offered to a served experiment.

Usage: python -m verl.trainer.main_ppo data.train_files=prompts.parquet \
    reward.custom_reward_function.path=examples/verl_reward.py \
    +reward.custom_reward_function.reward_kwargs.url=http://127.0.0.1:8000 ...
"""

from functools import cache

from signal_env.shared.client import Client
from signal_env.utils.answers import Answer


@cache
def connected(url):
    """Return the service's client, the rule for answers, and the names of the reward terms."""
    experiment = Client(url)
    state = experiment.state()
    return experiment, Answer(fields=state.field_names), tuple(state.weights)


def compute_score(data_source, solution_str, ground_truth, extra_info=None, url="http://127.0.0.1:8000", **_):
    """Return the reward, and each term's contribution for verl's logs. Texts of a validation are only scored."""
    (experiment, answer, terms), about = connected(url), extra_info or {}
    say = experiment.offer if about.get("split") == "train" else experiment.score
    result = say([answer.text(solution_str)], [about.get("prompt", "")])
    return {"score": float(result.rewards[0])} | {name: float(result.term(name)[0]) for name in terms}
