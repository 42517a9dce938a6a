"""The frozen model as a function, on tasks with several fields."""

import pytest
import torch

from agents.llm import FrozenGenerator
from agents.llm.language_model import frozen_language_model
from agents.llm.options import Form
from signal_env.config import ConfigError
from signal_env.tasks import get_task

FIELDS = get_task("qnli").field_names


@pytest.fixture
def says(monkeypatch):
    """Return a function that makes the model of a form, which stays loaded, write an answer."""

    def answer(written, form):
        model = frozen_language_model("embedded", "cpu", "float32", form)
        tokens = iter([*model.tokenizer(written, add_special_tokens=False)["input_ids"], *[model.end_tokens[0]] * 9])

        class Head(torch.nn.Module):
            """A head under which the next of the tokens is the likeliest by far."""

            def forward(self, hidden):
                logits = torch.zeros(*hidden.shape[:-1], model.vocabulary)
                logits[..., next(tokens)] = 50.0
                return logits

        monkeypatch.setattr(model.model, "lm_head", Head())

    yield answer
    frozen_language_model.cache_clear()


def test_the_fields_of_a_task_may_stand_on_lines_of_their_own(says):
    written = "Question: who wrote it?\nSentence: she did.\nQuestion: who else?"
    says(written, Form(fields=FIELDS))
    (text,) = FrozenGenerator("embedded", fields=FIELDS)(["a question"])
    assert get_task("qnli").fields(text) == ("who wrote it?", "she did.")
    says(written, Form())
    assert FrozenGenerator("embedded")(["a question"]) == ["Question: who wrote it?"]


def test_an_unknown_part_of_an_answer():
    with pytest.raises(ConfigError, match="answer must be 'line', 'last_line', 'whole'; got 'lines'"):
        FrozenGenerator("embedded", answer="lines")(["a film"])
