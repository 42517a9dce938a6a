"""The exchange: turns, errors in both directions, an end that leaves no thread, and separate random numbers."""

import random
import signal
import threading
import time

import numpy as np
import pytest
import torch

from agents.llm.exchange import Exchange, Random


@pytest.fixture
def exchange():
    exchange = Exchange()
    yield exchange
    exchange.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "signal_env.trainer"]


def test_the_two_sides_take_turns(exchange):
    seen = []

    def train():
        while True:
            prompts = exchange.next_prompts()
            seen.append(("prompts", list(prompts)))
            seen.append(("rewards", exchange.rewards([[len(prompt)] for prompt in prompts]).tolist()))

    exchange.start(train, seed=0)
    for step in range(3):
        assert exchange.respond([f"{step}", "two"]) == [[1], [3]]
        seen.append("environment")
        exchange.learn(np.array([0.5, step]))
    expected = [[("prompts", [f"{i}", "two"]), "environment", ("rewards", [0.5, i])] for i in range(3)]
    assert seen == [event for step in expected for event in step]


@pytest.mark.parametrize("when", ["start", "respond", "learn"])
def test_an_error_of_the_trainer_is_raised_where_the_rollout_waits(exchange, when):
    def train():
        for point in ("start", "respond", "learn"):
            if point == when:
                raise ArithmeticError(f"the loss is not finite at {point}")
            exchange.next_prompts() if point == "start" else exchange.rewards([[1]])

    def play():
        exchange.start(train, seed=0)
        exchange.respond(["prompt"])
        exchange.learn(np.zeros(1))

    with pytest.raises(ArithmeticError, match=f"not finite at {when}"):
        play()
    assert threading.active_count() == 1 or "signal_env.trainer" not in {t.name for t in threading.enumerate()}


def test_a_trainer_that_ends_its_loop_is_an_error(exchange):
    with pytest.raises(RuntimeError, match="ended its loop before the episode's end"):
        exchange.start(lambda: None, seed=0)


def test_closing_unwinds_the_trainer_past_its_own_error_handling(exchange):
    unwound = []

    def train():
        try:
            while True:
                try:
                    exchange.next_prompts()
                except Exception:  # as a trainer might do
                    continue
        finally:
            unwound.append(True)

    exchange.start(train, seed=0)
    exchange.close()
    exchange.close()
    assert unwound == [True]


def test_an_interrupt_while_the_trainer_works_reaches_the_rollout(exchange):
    def train():
        exchange.next_prompts()
        time.sleep(0.5)
        exchange.rewards([[1]])

    exchange.start(train, seed=0)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C does
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            exchange.respond(["prompt"])
    finally:
        signal.signal(signal.SIGALRM, before)
    exchange.close()


def draw():
    return random.random(), float(np.random.random()), float(torch.rand(1))  # noqa: NPY002


def test_each_side_has_its_own_random_numbers(exchange):
    drawn = []

    def train():
        while True:
            exchange.next_prompts()
            drawn.append(draw())

    def play(meddle):
        exchange.start(train, seed=7)
        for _ in range(3):
            if meddle:
                draw()
            exchange._to_trainer.put([])
            exchange._receive()
        exchange.close()

    Random.seeded(1)
    expected = [draw() for _ in range(2)]
    Random.seeded(1)
    first = draw()
    play(meddle=False)
    assert [first, draw()] == expected  # the trainer left the global generators alone
    play(meddle=True)
    assert drawn[:3] == drawn[3:]  # and its draws depend on its seed alone
    assert len(set(drawn[:3])) == 3


def test_random_numbers_go_on_from_their_state():
    Random.seeded(3)
    kept = Random.now().state_dict()
    expected = draw()
    Random.seeded(4)
    Random.from_state_dict(kept).restore()
    assert draw() == expected
