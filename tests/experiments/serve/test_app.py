"""The HTTP interface: what it answers, refuses and survives."""

import contextlib
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest

from experiments.serve.request import Bounds
from signal_env.classifiers import classifiers
from signal_env.classifiers.linear import LinearClassifier
from signal_env.rewards.term import reward_terms
from signal_env.shared import ExperimentEnded, LocalExperiment
from signal_env.shared.arrays import unpacked
from signal_env.shared.client import Client, ServiceError
from tests.experiments.serve.conftest import SMALL, serving

OPTIONS = {"encoder": "embedded", **SMALL}


def send(client, method, path, body=None, **headers):
    """Send a raw request; return its status, its answer and its headers."""
    parts = urlsplit(client.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    kept = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body), kept)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer, response.headers


def test_bad_requests_are_refused_with_a_reason_and_change_nothing(serve):
    bounds = Bounds(body=3000, batch=4, text=100)
    with serve(bounds=bounds) as client:
        before = client.state().to_dict()
        for path, body, status, said in (
            ("/offer", {"texts": ["a"] * 5}, 413, "at most 4"),
            ("/offer", {"texts": ["a" * 101]}, 413, "101 characters"),
            ("/offer", {"texts": ["a" * 3000]}, 413, "3000 bytes"),
            ("/offer", {"texts": "a film"}, 422, "list of strings"),
            ("/offer", {"texts": ["a", 3]}, 422, "texts[1] must be a string; got int: 3"),
            ("/offer", {"texts": ["a"], "prompts": ["p", "q"]}, 422, "one for each of the 1 texts"),
            ("/offer", {}, 422, "'texts'"),
            ("/offer", {"texts": ["a"], "seed": 1}, 422, "no field 'seed'"),
            ("/offer", {"texts": ["a"], "key": 7}, 422, "'key' must be a string"),
            ("/offer", ["a"], 422, "JSON object; got list"),
            ("/offer", b'{"texts": [', 400, "not JSON"),
            ("/offer", b"\xff\xfe\xff", 400, "not JSON"),
            ("/offer", b"[" * 900, 400, "not JSON"),
            ("/offer", b"[" * 2900, 400, "more than 1000 lists"),
            ("/offer", {"texts": ["[" * 1500 + '\\"']}, 413, "1502 characters"),  # brackets of a text
            ("/offer", b'{"texts": ["\xed\xa0\xbd\xed\xb8\x80"]}', 400, "not JSON"),  # a character in halves
            ("/prompts", {"n": -1}, 422, "'n' must be a whole number"),
            ("/prompts", {"n": True}, 422, "got True"),
            ("/prompts", {"n": 5}, 422, "from 0 to 4"),
            ("/score", {"texts": [None]}, 422, "got NoneType"),
            ("/ask", {"what": "gold", "texts": ["a"], "round": 0}, 422, "one of predict"),
            ("/ask", {"what": "dropout", "texts": ["a"], "round": 0}, 422, "has no dropout"),
            ("/ask", {"what": "predict", "texts": ["a"], "round": 7}, 409, "Round 8 is over"),
            ("/ask", {"what": "predict", "texts": ["\ud800 a"], "round": 0}, 422, "texts[0] holds a lone surrogate"),
            ("/ask", b'{"what": "check", "texts": [], "round": %s}' % (b"9" * 2900), 422, "'round', a whole number"),
            ("/get_reward?end=", {"query": ["a"], "prompts": [""], "labels": [""]}, 422, "it is empty"),
            ("/nothing", {}, 404, "Not Found"),
        ):
            answer = send(client, "POST", path, body)
            assert answer[0] == status, (path, body, answer)
            assert said in answer[1]["reason"]
        assert send(client, "POST", "/offer", b"texts=a", Content_Type="text/plain")[0] == 415
        assert send(client, "GET", "/offer")[0] == 405
        assert client.state().to_dict() == before


def test_a_repeated_request_is_answered_from_the_log(serve, config):
    with serve() as client:
        first = client.offer(["a warm film", "a cold plot"], key="one")
        prompts = client.prompts(3, key="two").texts
        assert client.offer(["a warm film", "a cold plot"], key="one").to_dict() == first.to_dict()
        assert client.prompts(3, key="two").texts == prompts
        assert client.prompts(3).texts != prompts
        assert client.state().offered == 2
        with pytest.raises(ServiceError, match=r"status 422.*belongs to another request, number 0"):
            client.offer(["a warm film", "another plot"], key="one")
    with serve() as client:  # after a restart too
        assert client.offer(["a warm film", "a cold plot"], key="one").to_dict() == first.to_dict()
        assert client.state().offered == 2
        assert client.state().drawn == 6


def test_the_end_is_said(serve):
    with serve(budget=12) as client:
        offered = client.offer([f"a film of {i} stars" for i in range(8)], key="last")
        assert offered.ended
        assert (offered.offered, len(offered.rewards)) == (6, 8)
        with pytest.raises(ExperimentEnded, match="the budget is spent"):
            client.offer(["one more"])
        assert client.offer([f"a film of {i} stars" for i in range(8)], key="last").to_dict() == offered.to_dict()
        assert client.health() == {"status": "ended"}
        assert send(client, "POST", "/offer", {"texts": ["one more"]})[0] == 409


def test_a_token_is_needed_where_one_is_given(serve):
    with serve(token="0123456789abcdef") as client:
        assert client.state().offered == 0
        assert send(client, "GET", "/health")[0] == 200
        for headers in ({}, {"Authorization": "Bearer 0123456789abcdeF"}, {"Authorization": "Basic 0123456789abcdef"}):
            status, answer, _ = send(client, "GET", "/state", **headers)
            assert (status, answer["error"]) == (401, "token")
        with pytest.raises(ServiceError, match="needs its token"):
            Client(client.url).offer(["a film"])


def test_hostile_texts_earn_what_they_earn_locally(serve):
    texts = [
        "\ud800 lone",
        "nul \x00",
        "\u202eright to left",
        '{"a": 1}',
        "",
        "emoji \U0001f600",
        "a\r\nb",
        "é",
        "e\u0301",
    ]
    local = LocalExperiment("SignalEnv-reviews-v0", **OPTIONS)
    with serve() as client:
        assert client.offer(texts).to_dict() == local.offer(texts).to_dict()
        assert client.score(texts).to_dict() == local.score(texts).to_dict()
        assert client.prompts(5).texts == local.prompts(5).texts
        assert client.state().to_dict() == local.state().to_dict()


def test_the_order_of_acceptance_decides_what_eight_clients_earn(serve, config):
    def write(client, who):
        earned = {}
        for i in range(6):
            texts = [f"a film by {who} of {i} and {j}" for j in range(who % 3 + 1)]
            client.prompts(1)
            earned[f"{who}/{i}"] = client.offer(texts, key=f"{who}/{i}").to_dict()
        return earned

    with serve(budget=60, offers_per_round=16) as client, ThreadPoolExecutor(8) as threads:
        earned = {k: v for each in threads.map(lambda who: write(client, who), range(8)) for k, v in each.items()}
        state = client.state()
    local = LocalExperiment("SignalEnv-reviews-v0", **{**OPTIONS, "budget": 60, "offers_per_round": 16})
    lines = (config(budget=60).folder / "requests.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        if line["verb"] == "prompts":
            local.prompts(line["n"])
        else:
            assert local.offer(line["texts"]).to_dict() == earned.pop(line["key"])
    assert earned == {}
    assert local.state().to_dict() == state.to_dict()
    assert state.offered == sum((who % 3 + 1) * 6 for who in range(8))


@pytest.fixture
def waiting(forget_plugins):
    """A classifier of one's own that trains when it is told to, after its first training."""
    gate = threading.Event()
    gate.set()

    @classifiers.register("waiting")
    class Waiting(LinearClassifier):
        def fit(self, texts, labels, seed):
            assert gate.wait(20)
            super().fit(texts, labels, seed)

    return gate


def test_retraining_blocks_nobody_and_times_nobody_out(waiting, config):
    bounds = Bounds(wait=0.05, waiting=1)
    with serving(config(classifier="waiting"), bounds=bounds) as (client, _), ThreadPoolExecutor(2) as threads:
        waiting.clear()
        closing = threads.submit(client.offer, [f"a film of {i}" for i in range(6)])
        while client.health()["status"] != "retraining":
            time.sleep(0.01)
        assert client.state().round["index"] == 0  # at once, as it was
        status, answer, headers = send(client, "POST", "/offer", {"texts": ["one more"], "key": "more"})
        assert (status, answer["error"], headers["Retry-After"]) == (503, "retraining", "1")
        more = threads.submit(client.offer, ["one more"], key="more")
        assert send(client, "POST", "/score", {"texts": ["another"]})[0] == 503  # its place is taken
        waiting.set()
        assert [r["index"] for r in closing.result().rounds] == [1]
        assert more.result().first == 6
        assert client.state().offered == 7


def test_a_question_may_have_more_texts_than_a_request(serve):
    texts = ["a warm film", "a cold plot", "an odd end"]
    with serve(bounds=Bounds(batch=2)) as client:
        learner = LocalExperiment("SignalEnv-reviews-v0", **OPTIONS).learner
        for asked in (texts, None):
            told = unpacked(client.ask("predict", asked, 0)["probabilities"])
            expected = learner.opened.classifier.predict(tuple(texts)) if asked else learner.unlabeled
            assert told.tolist() == expected.probabilities.tolist()


def test_an_error_of_a_question_is_its_answer_and_stops_nothing(config, forget_plugins):
    @classifiers.register("fragile")
    class Fragile(LinearClassifier):
        def predict(self, texts):
            if "boom" in texts:
                raise ZeroDivisionError("a bug")
            return super().predict(texts)

    with serving(config(classifier="fragile")) as (client, worker):
        ask = {"what": "predict", "texts": ["boom"], "round": 0}
        status, answer, _ = send(client, "POST", "/ask", ask)
        assert (status, answer["error"]) == (500, "failed")
        assert "ZeroDivisionError: a bug" in answer["reason"]
        assert worker.failure is None
        assert client.offer(["a film"]).offered == 1


def test_an_offer_without_a_key_waits_for_its_answer(waiting, config):
    """Answered with 503, it would be repeated, and its texts would be offered twice."""
    with (
        serving(config(classifier="waiting"), bounds=Bounds(wait=0.05)) as (client, _),
        ThreadPoolExecutor(1) as threads,
    ):
        waiting.clear()
        offer = threads.submit(send, client, "POST", "/offer", {"texts": [f"a film of {i}" for i in range(6)]})
        while client.health()["status"] != "retraining":
            time.sleep(0.01)
        assert send(client, "POST", "/score", {"texts": ["another"]})[0] == 503  # the time limit has passed
        waiting.set()
        status, answer, _ = offer.result()
        assert (status, answer["offered"]) == (200, 6)


def test_a_client_that_stalls_does_not_keep_the_service_from_ending(serve, monkeypatch):
    monkeypatch.setattr("experiments.serve.GRACE", 0.1)
    head = "POST /offer HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    with contextlib.ExitStack() as after, serve() as client:
        stalled = after.enter_context(socket.create_connection(urlsplit(client.url).netloc.split(":")))
        stalled.sendall(head.encode())
        assert client.state().offered == 0


def test_a_single_client_is_served_where_one_is_the_most(config):
    with serving(config(), max_clients=1) as (client, _):
        assert client.state().offered == 0
        with pytest.raises(ServiceError, match="Service Unavailable"):
            Client(client.url, timeout=0.1).state()


def test_a_bug_in_a_term_that_scores_stops_the_service(config, forget_plugins):
    """A term may have a state of its own, which the error may have left between two values."""

    @reward_terms.register("fragile")
    def fragile(texts):
        raise ZeroDivisionError("a bug")

    with serving(config(reward="fragile"), timeout=1) as (client, worker):
        with pytest.raises(ServiceError, match=r"status 500.*ZeroDivisionError: a bug"):
            client.score(["a film"])
        assert isinstance(worker.failure, ZeroDivisionError)


def test_a_bug_in_a_term_stops_the_service_and_loses_nothing(config, forget_plugins):
    broken = [True]

    @reward_terms.register("fragile")
    def fragile(texts):
        if broken[0] and "boom" in texts:
            raise ZeroDivisionError("a bug")
        return np.array([float(len(text)) for text in texts])

    with serving(config(reward="fragile"), timeout=1) as (client, worker):
        assert client.offer(["four"]).rewards.tolist() == [4.0]
        with pytest.raises(ServiceError, match=r"status 500.*ZeroDivisionError: a bug"):
            client.offer(["boom", "three"], key="b")
        assert send(client, "GET", "/health")[:2] == (500, {"status": "failed"})  # without a token, so without a reason
        assert isinstance(worker.failure, ZeroDivisionError)
        assert "fragile" in "".join(worker.failure.__notes__)
    broken[0] = False
    with serving(config(reward="fragile")) as (client, _):
        assert client.state().offered == 3
        assert client.offer(["boom", "three"], key="b").rewards.tolist() == [4.0, 5.0]


def test_what_is_served_holds_no_hidden_label(serve):
    """The gold labels of U, which stand beside its texts in the experiment's pool, are in nothing that is read."""
    learner = LocalExperiment("SignalEnv-reviews-v0", **OPTIONS).learner
    gold, labeled = learner.episode.gold, learner.episode.labeled
    hidden = {text: label for text, label in gold.items() if text not in labeled}
    with serve() as client:
        told = [client.read(what) for what in ("experiment", "round", "offered")]
        told += [client.ask(what, list(hidden), 0) for what in ("predict", "check")]
    lists = [each for data in told for each in lists_of(data)]
    pairs = [tuple(each) for each in lists if len(each) == 2 and each[0] in gold and isinstance(each[1], int)]
    assert sorted(pairs) == sorted(labeled.items())
    assert list(hidden.values()) not in lists
    assert list(gold.values()) not in lists
    evaluation, _ = learner._evaluation
    assert not [text for text in evaluation if text not in gold and json.dumps(text) in json.dumps(told)]


def lists_of(data):
    """Yield all lists in plain data, its arrays as lists, and its mappings' pairs."""
    if isinstance(data, dict) and set(data) == {"dtype", "shape", "data"}:
        yield unpacked(data).tolist()
    elif isinstance(data, dict | list):
        yield from map(list, data.items()) if isinstance(data, dict) else [data]
        for each in data.values() if isinstance(data, dict) else data:
            yield from lists_of(each)
