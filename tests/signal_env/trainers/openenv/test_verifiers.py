"""The package verifiers plays the server through its OpenEnv task set; a scripted model answers."""

import http.server
import itertools
import json
import os
import shutil
import subprocess
import threading

import pytest

pytest.importorskip("openenv", reason="needs the extra openenv; make test-openenv installs it")

from signal_env.shared import LocalExperiment

ENV = "SignalEnv-reviews-v0"
TINY = {"pool_size": 20, "round_size": 2, "initial_labeled": 8, "classifier": "linear", "annotator": "rule"}
TEXTS = ("a warm film of rain", "12")
"""The model's answers. One looks like JSON; it is offered as the text that it is."""

RUN = """
model = "scripted"
num_rollouts = 2
max_concurrent = 1
push = false

[client]
base_url = "{model}"
api_key_var = "SCRIPTED_KEY"

[env.taskset]
id = "openenv"
base_url = "{url}"
resets = [{{ seed = 1 }}]

[env.player]
harness = {{ id = "null" }}
runtime = {{ type = "subprocess" }}
"""


class Model(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next text, as a stream."""

    texts = itertools.cycle(TEXTS)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        parts = [({"role": "assistant", "content": next(self.texts)}, None), ({}, "stop")]
        head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
        choices = [{"index": 0, "delta": delta, "finish_reason": end} for delta, end in parts]
        lines = [*(json.dumps(head | {"choices": [choice]}) for choice in choices), "[DONE]"]
        body = "".join(f"data: {line}\n\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def model():
    """The address of the scripted model."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(shutil.which("vf-eval") is None, reason="needs verifiers; make test-openenv installs it")
@pytest.mark.timeout(400)
def test_a_group_of_rollouts_is_one_experiment(serve, model, tmp_path):
    (tmp_path / "run.toml").write_text(RUN.format(model=model, url=serve(ENV, seed=3, **TINY)))
    command = ["vf-eval", "@", "run.toml", "--rich", "None", "--output-dir", "out"]
    environment = os.environ | {"SCRIPTED_KEY": "none"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = tmp_path.glob("out/*/traces.jsonl")
    episodes = [json.loads(line) for line in file.read_text().splitlines()]
    assert [episode["errors"] for episode in episodes] == [[], []]
    played = {}
    for trace in (episode["traces"][0] for episode in episodes):
        shown, answered = (node["message"]["content"] for node in trace["nodes"])
        played[answered] = json.loads(shown)["observation"]["prompt"], trace["rewards"]["openenv_reward"]["score"]
    alone = LocalExperiment(ENV, 3, **TINY)
    prompts = list(alone.prompts(1).texts) * 2
    rewards = alone.offer(TEXTS, prompts).rewards.tolist()
    assert played == dict(zip(TEXTS, zip(prompts, rewards, strict=True), strict=True))
    assert min(rewards) > 0
