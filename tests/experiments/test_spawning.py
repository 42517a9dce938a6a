"""New processes that play runs: what they know, and what is said where they cannot start."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from agents.agent import Agent, agents
from experiments.config import make_config
from experiments.engines import ERROR, Local
from experiments.spawning import UNGUARDED, bound_to_process, start_error

ROOT = Path(__file__).parents[2]
REVIEWS = "SignalEnv-reviews-v0"

SCRIPT = """
import dataclasses
from agents.agent import Agent, agents
from experiments import compare
from signal_env.rewards import reward_terms

@reward_terms.register("brevity")
def brevity(texts):
    return [1 / (1 + len(text)) for text in texts]

@agents.register("first")
@dataclasses.dataclass
class FirstAgent(Agent):
    env_options = {"selection": "submitted"}
    skip: int = 0

    def reset(self, envs, seed):
        self.envs = envs

    def act(self, observations):
        return list(self.envs.unwrapped.unlabeled.texts[self.skip :][: self.envs.num_envs])

def main():
    small = {"pool_size": 40, "round_size": 20, "evaluation_size": 20, "tensorboard": False, "reward": "brevity"}
    runs = compare(["random", "first"], seeds=1, out=OUT, workers=WORKERS, **small)
    print(sorted(runs.rounds["method"].unique()))
"""

GUARD = """
if __name__ == "__main__":
    main()
"""


def run(script, folder, workers=1, piped=False):
    """Run a script, from a file or as a notebook does, without one."""
    text = script.replace("OUT", repr(str(folder / "out"))).replace("WORKERS", str(workers))
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{text}"
    (folder / "script.py").write_text(text)
    args = ["-c", text] if piped else [str(folder / "script.py")]
    return subprocess.run([sys.executable, *args], cwd=folder, capture_output=True, text=True, check=False)


def test_workers_know_what_a_guarded_script_registers(tmp_path):
    done = run(SCRIPT + GUARD, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['first', 'random']"
    assert '"brevity"' in (tmp_path / "out" / "reviews" / "first" / "seed-0" / "offers.jsonl").read_text()


def test_a_script_without_a_guard_is_told_so_once(tmp_path):
    done = run(SCRIPT + "\nmain()\n", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1  # that of the error, and none of the new processes
    assert "script.py again, where runs are started without a guard." in done.stderr
    assert 'if __name__ == "__main__":\n        main()' in done.stderr
    assert "out of memory" not in done.stderr + done.stdout
    assert not list((tmp_path / "out").rglob("rounds.jsonl"))


def test_a_script_that_cannot_be_imported_again_is_told_so(tmp_path):
    body = "from pathlib import Path\nPath('once').mkdir()\n"
    done = run(SCRIPT + body + GUARD, tmp_path)
    assert done.returncode == 1
    assert "which failed with exit code 1: its error is printed above" in done.stderr
    assert "FileExistsError" in done.stderr
    assert "out of memory" not in done.stderr + done.stdout


def test_without_a_file_names_stay_in_the_process(tmp_path):
    twice = """
if __name__ == "__main__":
    try:
        main(1)
    except ValueError as error:
        print(error)
    main(None)
"""
    done = run(SCRIPT.replace("main()", "main(workers)").replace("WORKERS", "workers") + twice, tmp_path, piped=True)
    assert done.returncode == 0, done.stderr
    assert "'first' is registered in this process, which has no file" in done.stdout.replace("'brevity'", "'first'")
    assert "play with workers=0" in done.stdout
    assert "the runs are played in this process" in done.stdout
    assert done.stdout.splitlines()[-1] == "['first', 'random']"


def test_a_name_that_a_worker_does_not_know_is_an_error_of_the_run(tmp_path):
    @agents.register("here")
    @dataclasses.dataclass
    class HereAgent(Agent):
        def act(self, observations):
            return ["a film"] * len(observations["prompt"])

    engine = Local(1)
    try:
        played = engine.submit(make_config(REVIEWS, "here", out=tmp_path))
        assert engine.outcome(played).startswith("UnknownName: Unknown agent 'here'.")
        assert "UnknownName" in (tmp_path / ERROR).read_text()
    finally:
        engine.close()
        del agents._entries["here"]


def test_runs_of_plain_names_are_bound_to_no_process():
    assert bound_to_process([make_config(REVIEWS, "random"), make_config(REVIEWS, "entropy")]) == ""


@pytest.mark.parametrize(("code", "said"), [(UNGUARDED, "without a guard"), (3, "failed with exit code 3")])
def test_both_errors_say_what_to_write(code, said):
    message = str(start_error(code))
    assert said in message
    assert 'if __name__ == "__main__":' in message
    assert "workers=0" in message
