"""A served experiment, played through OpenEnv: the service's rewards, in the run's folder."""

import pytest

pytest.importorskip("openenv", reason="needs the extra openenv; make test-openenv installs it")

from starlette.testclient import TestClient

from signal_env.trainers.openenv import make_app


def test_a_served_experiment_is_played_by_sessions(serve):
    with serve(initial_labeled=12) as client, TestClient(make_app(client.url)) as server:
        prompts = [server.post("/reset", json={"seed": 1}).json()["observation"]["prompt"] for _ in range(2)]
        assert prompts == list(client.prompts(1, key="openenv/prompt/1").texts) * 2
        with server.websocket_connect("/ws") as one, server.websocket_connect("/ws") as other:
            rewards = []
            for session, text in ((one, "a warm film of rain"), (other, "a dull plot of four")):
                session.send_json({"type": "reset", "data": {}})
                session.receive_json()
                expected = client.score([text])
                session.send_json({"type": "step", "data": {"text": text}})
                rewards.append(session.receive_json()["data"]["reward"])
                assert rewards[-1] == expected.rewards[0] > 0
            one.send_json({"type": "state"})
            assert one.receive_json()["data"]["offered"] == client.state().offered == 2
