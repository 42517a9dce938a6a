"""Learning loss: the ranking loss, the module, and what it learns on real texts."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import signal_env  # noqa: F401
from agents.pool import pool_agent
from agents.rollout import rollout
from signal_env.classifiers import ClassifierError, make_classifier
from signal_env.classifiers.checked import CheckedClassifier
from signal_env.classifiers.loss_prediction import INTO_ENCODER, LossPrediction, ranking_loss
from signal_env.classifiers.training import _forward, _ranking
from signal_env.data import load
from signal_env.tasks import get_task

REVIEWS = get_task("reviews")


def fitted(n=200, seed=0, loss_prediction=True, **options):
    corpus = load(REVIEWS)
    classifier = make_classifier("finetune", REVIEWS, "embedded", loss_prediction=loss_prediction, **options)
    classifier.fit(corpus.train.texts[:n], corpus.train.labels[:n], seed)
    return classifier


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_the_ranking_loss_is_that_of_the_paper_over_all_pairs(n):
    rng = np.random.default_rng(n)
    predicted, real = rng.normal(size=n), rng.exponential(size=n)
    pairs = [
        max(0.0, -(1.0 if real[i] > real[j] else -1.0) * (predicted[i] - predicted[j]) + 1.0)
        for i in range(n)
        for j in range(i + 1, n)
    ]
    found = ranking_loss(torch.from_numpy(predicted), torch.from_numpy(real)).item()
    assert found == pytest.approx(np.mean(pairs) if pairs else 0.0)


def test_the_module_averages_tokens_layer_by_layer():
    torch.manual_seed(0)
    module, mask = LossPrediction(3, 6, size=4), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    hidden = torch.randn(3, 2, 4, 6)
    expected = []
    for text, length in enumerate((4, 2)):
        units = []
        for layer in range(3):
            mean = hidden[layer, text, :length].numpy().mean(axis=0)
            linear = module.layers[layer]
            units += list(np.maximum(linear.weight.detach().numpy() @ mean + linear.bias.detach().numpy(), 0))
        expected.append(module.output.weight.detach().numpy()[0] @ np.array(units) + module.output.bias.item())
    np.testing.assert_allclose(module(tuple(hidden), mask).detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(("done", "changes"), [(0.0, True), (INTO_ENCODER, False), (0.9, False)])
def test_late_in_training_the_ranking_loss_leaves_the_encoder_alone(done, changes):
    classifier = fitted(n=8, epochs=0, min_steps=0)
    model, module = classifier.text_model, classifier._loss_prediction
    batch = model.collate(model.encode(load(REVIEWS).train.texts[:8]))
    output, losses = _forward(model, batch, load(REVIEWS).train.labels[:8], "float32", module)
    _ranking(module, output, batch, losses, done).backward()
    assert any(weights.grad is not None for weights in model.model.parameters()) == changes
    assert all(weights.grad is not None for weights in module.parameters())


@pytest.mark.parametrize("seed", [0, 1])
def test_predicted_losses_rank_the_losses_of_new_texts(seed):
    from scipy.stats import spearmanr

    evaluation = load(REVIEWS).evaluation
    classifier = fitted(seed=seed)
    texts, gold = evaluation.texts[:300], evaluation.labels[:300]
    real = -np.log(classifier.predict(texts).probabilities[np.arange(300), gold])
    found = spearmanr(classifier.predict_loss(texts), real)
    assert found.statistic > 0.15
    assert found.pvalue < 0.01


def test_predicted_losses_are_reproducible_and_independent_of_company():
    texts = load(REVIEWS).evaluation.texts[:6]
    classifier = fitted(n=20, min_steps=3, epochs=1)
    together = classifier.predict_loss(texts)
    assert together.shape == (6,)
    assert np.unique(together).size == 6
    assert np.array_equal([classifier.predict_loss([text])[0] for text in texts], together)
    corpus = load(REVIEWS)
    classifier.fit(corpus.train.texts[20:30], corpus.train.labels[20:30], 3)
    classifier.fit(corpus.train.texts[:20], corpus.train.labels[:20], 0)
    assert np.array_equal(classifier.predict_loss(texts), together)


def test_a_classifier_without_the_option_predicts_no_losses():
    classifier = CheckedClassifier(fitted(n=4, loss_prediction=False, epochs=0, min_steps=0), 2)
    with pytest.raises(ClassifierError, match=r"predicts no losses .* classifier_options=\{'loss_prediction': True\}"):
        classifier.predicted_loss(["a film"])
    with pytest.raises(ValueError, match=r"loss_prediction .*True or False; got 'yes'"):
        fitted(loss_prediction="yes")


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([[1.0]], r"of the shape \(1, 1\) for 1 texts; expected \(1,\)"),
        ([np.nan], "of the text 'a film' are not finite"),
    ],
)
def test_losses_of_a_wrong_form_are_an_error(losses, message):
    class Own:
        def predict_loss(self, texts):
            return np.array(losses)

    with pytest.raises(ClassifierError, match=f"predicted losses {message}"):
        CheckedClassifier(Own(), 2).predicted_loss(["a film"])


SMALL = {"classifier": "finetune", "encoder": "embedded", "pool_size": 40, "round_size": 8, "evaluation_size": 20}
FAST = {"min_steps": 8, "epochs": 1}


def test_the_agent_submits_the_texts_with_the_largest_predicted_losses():
    options = SMALL | {"classifier_options": FAST | {"loss_prediction": True}, "budget": 24}
    envs = gym.make_vec("SignalEnv-reviews-v0", num_envs=8, selection="submitted", **options)
    expected, n_rounds = None, 0
    for step in rollout(envs, pool_agent("learning_loss")(), seed=0):
        if expected is not None:
            assert list(step.texts) == expected
            n_rounds += 1
        unlabeled = envs.unwrapped.unlabeled
        expected = [unlabeled.texts[i] for i in np.argsort(-unlabeled.predicted_loss, kind="stable")[:8]]
    assert n_rounds == 2


@pytest.mark.parametrize(
    "option", [{"acquisition": "learning_loss"}, {"reward": lambda predicted_loss: predicted_loss}]
)
def test_an_environment_that_needs_the_option_says_so_at_once(option):
    with pytest.raises(ClassifierError, match=r"classifier_options=\{'loss_prediction': True\}"):
        gym.make("SignalEnv-reviews-v0", **SMALL, **option)


def test_predicted_losses_can_be_the_reward():
    options = SMALL | {"classifier_options": FAST | {"loss_prediction": True}}
    env = gym.make("SignalEnv-reviews-v0", reward=lambda predicted_loss: predicted_loss, **options)
    env.reset(seed=0)
    text = "the plot drags but the cast is superb"
    reward = env.step(text)[1]
    assert reward == pytest.approx(env.unwrapped.learner._classifier.predicted_loss([text])[0])
