"""The passes of TRL's PPOTrainer through the language model, without what it computes twice or never reads.

For each batch the trainer runs, beside the sampling: the reference over prompts and responses, the values over the same
tokens, and for each update the values again and the policy. Reference and values are both of the frozen base, so that
one pass serves all of them. Of each pass the trainer reads the logits from which the responses' tokens are drawn; those
of the prompts, which are most of the memory of a large vocabulary, are not computed.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from agents.llm.answers import Tokens


class Tail:
    """The last positions of logits or values, read by the trainer's slice `[:, width - 1 : -1]` of all positions.

    Args:
        kept: `(n, t + 1, ...)` the values of the last t + 1 positions.
        width: Tokens of a prompt, with padding.
    """

    def __init__(self, kept: torch.Tensor, width: int) -> None:
        self._kept, self._width = kept, width

    def __getitem__(self, place: tuple[slice, slice]) -> torch.Tensor:
        """Return the values from which the tokens of the responses are drawn, `(n, t, ...)`."""
        if place != (slice(None), slice(self._width - 1, -1)):
            raise IndexError(f"The trainer reads other positions than the responses': {place}.")
        return self._kept[:, :-1]


class SharedPasses:
    """A policy's passes in a trainer's loop, and what they have in common.

    Args:
        policy: The peft model. Its `forward` and `generate` are replaced.
        base: The model below, whose linear layers hold the adapter.
        width: Returns the number of tokens of each prompt in the batch, with padding.
        temperature: The temperature that divides the logits.
        size: Texts per pass, at most.
    """

    def __init__(self, policy: Any, base: Any, width: Callable[[], int], temperature: float, size: int) -> None:
        self._width, self._temperature, self._size = width, temperature, size
        self._forward, self._generate = policy.forward, policy.generate
        self._hidden = torch.empty(0)
        self._rows: dict[tuple[int, ...], int] = {}
        self._features = torch.empty(0)
        self._log_p = self._entropy = self._reference = torch.empty(0)
        base.get_output_embeddings().register_forward_pre_hook(self._keep_hidden)
        policy.forward, policy.generate = self.forward, self.generate

    def _keep_hidden(self, _: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        self._hidden = inputs[0].detach()

    def forward(self, *args: Any, **inputs: Any) -> Any:
        """Run the policy, or its reference while the adapter is off; the trainer's calls have no `logits_to_keep`."""
        if args or "logits_to_keep" in inputs:
            return self._forward(*args, **inputs)
        ids, mask, width = inputs["input_ids"], inputs["attention_mask"], self._width()
        tokens = ids, mask, inputs["position_ids"]
        kept = ids.shape[1] - width + 1
        if torch.is_grad_enabled():
            logits, _ = self._run(*tokens, kept)
        else:  # the only such pass is the reference's, of whole batches
            logits, hidden = self._run_in_blocks(*tokens, kept)
            self._remember(ids, mask, logits, hidden)
        return SimpleNamespace(logits=Tail(logits, width))

    def _run(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kept: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and last hidden states of the last `kept` positions; columns of padding alone are left out."""
        first = int(mask.any(0).int().argmax())
        tokens = {"input_ids": ids[:, first:], "attention_mask": mask[:, first:], "position_ids": positions[:, first:]}
        logits = self._forward(**tokens, logits_to_keep=kept, use_cache=False, return_dict=True).logits
        return logits, self._hidden

    def _run_in_blocks(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, kept: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Do as `_run` does, with prompts of similar lengths, and equal ones, in each pass."""
        if len(ids) <= self._size:
            return self._run(ids, mask, positions, kept)
        order = mask[:, : ids.shape[1] - kept + 1].sum(1).argsort(stable=True)
        found = [self._run(ids[rows], mask[rows], positions[rows], kept) for rows in order.split(self._size)]
        back = order.argsort()
        logits, hidden = (torch.cat(each)[back] for each in zip(*found, strict=True))
        return logits, hidden

    def _remember(self, ids: torch.Tensor, mask: torch.Tensor, logits: torch.Tensor, hidden: torch.Tensor) -> None:
        self._rows = {row: i for i, row in enumerate(_rows(ids, mask))}
        self._features = hidden
        pairs = zip(logits, ids[:, self._width() :], strict=True)
        self._reference = torch.stack([_chosen(row[:-1] / self._temperature, tokens)[0] for row, tokens in pairs])

    def features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SimpleNamespace:
        """Return the base's hidden states for rows of the last batch, in the form of its output.

        The last of the `hidden_states` is `(n, tokens, d)`. It is 0 within prompts, whose values nobody reads.
        """
        rows = [self._rows[row] for row in _rows(input_ids, attention_mask)]
        hidden = self._features.new_zeros((*input_ids.shape, self._features.shape[-1]))
        hidden[:, self._width() - 1 :] = self._features[rows]
        return SimpleNamespace(hidden_states=[hidden])

    def generate(self, *args: Any, **options: Any) -> Any:
        """Sample responses; of the trainer's, keep the log-probabilities and the entropies of their tokens."""
        output = self._generate(*args, **options)
        if options.get("output_scores"):
            responses = output.sequences[:, -len(output.scores) :]
            steps = [_chosen(scores, tokens) for scores, tokens in zip(output.scores, responses.T, strict=True)]
            self._log_p, self._entropy = (torch.stack(each, 1) for each in zip(*steps, strict=True))
        return output

    def divergence(self, responses: Sequence[Tokens]) -> dict[str, float]:
        """Return the metrics of `comparison.divergence` for the last batch, from what the trainer computed.

        Args:
            responses: The tokens of its responses.
        """
        lengths = [len(response) for response in responses]
        differences = self._log_p - self._reference
        kl = [float(row[:length].sum()) for row, length in zip(differences, lengths, strict=True)]
        entropies = torch.cat([row[:length] for row, length in zip(self._entropy, lengths, strict=True)])
        return {"policy/kl": float(np.mean(kl)), "policy/entropy": float(entropies.mean())}


def _rows(ids: torch.Tensor, mask: torch.Tensor) -> list[tuple[int, ...]]:
    """Return the tokens of each row, -1 for padding."""
    return [tuple(row) for row in torch.where(mask.bool(), ids, -1).tolist()]


def _chosen(logits: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probabilities `(n,)` of tokens under logits `(n, vocabulary)`, and the entropies before them."""
    log_p = logits.float().log_softmax(-1)
    entropy = -(log_p.exp() * log_p).nan_to_num().sum(-1)
    return log_p.gather(-1, tokens[:, None])[:, 0], entropy
