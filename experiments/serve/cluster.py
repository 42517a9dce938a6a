"""The engine that serves the experiment of a run on one machine of a Ray cluster and plays its agent on another."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from agents.agent import keeps_state
from agents.rollout import rollout, state_of
from experiments.checkpoint import load_checkpoint, save_checkpoint
from experiments.config import RunConfig, RunError, make_config
from experiments.engines import BUSY, ERROR, Outcome, Ray, failed, missing_here
from experiments.player import fresh
from experiments.run import WRITER, RunBusy, finished
from experiments.serve import Door, serve_run
from signal_env.shared.client import Client
from signal_env.shared.vector_env import SharedVectorEnv
from signal_env.utils.storage import sync, write_text
from signal_env.wrappers.recording import LineLog

METRICS = "metrics.jsonl"
"""The file of an agent's metrics, in the writer's folder and in the run's."""


class Access(NamedTuple):
    """The address and the token of a service, or the outcome of one that serves nothing."""

    url: str
    token: str
    over: bool = False
    outcome: Outcome = None


class Service:
    """The actor that serves the experiment of a run, on the address of its machine, with a token of its own.

    Args:
        values: The run, see `RunConfig.plain`.
        study: The study's file, which every machine has.
    """

    def __init__(self, values: dict[str, Any], study: Path) -> None:
        self._values, self._study, self._token = values, study, secrets.token_hex(32)
        self._url = ""
        self._outcome: Outcome = None
        self._end: Callable[[], None] = lambda: None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="service", daemon=True)

    def start(self) -> Access:
        """Begin to serve; return once requests are answered, or nothing is served."""
        self._thread.start()
        self._ready.wait()
        return Access(self._url, self._token, not self._url, self._outcome)

    def over(self) -> Outcome:
        """Wait until nothing is served any more; return the error that ended it, or None."""
        self._ready.wait()
        self._thread.join()
        return self._outcome

    def stop(self) -> Outcome:
        """End the service; return the error that had ended it before, or None."""
        self._end()
        return self.over()

    def _serve(self) -> None:
        def ready(url: str, end: Callable[[], None]) -> None:
            self._url, self._end = url, end
            self._ready.set()

        try:
            (Path(self._values["out"]) / ERROR).unlink(missing_ok=True)
            self._outcome = missing_here(self._study)
            if self._outcome is None:
                self._play(ready)
        except RunBusy:
            self._outcome = BUSY
        except Exception as failure:  # it is the run's outcome, whatever it is
            self._outcome = failed(Path(self._values["out"]), failure)
        finally:
            self._ready.set()

    def _play(self, ready: Callable[[str, Callable[[], None]], None]) -> None:
        from ray.util import get_node_ip_address

        run = make_config(**self._values)
        if not finished(run):
            serve_run(run, Door(get_node_ip_address(), 0, self._token), ready, one_writer=True)


class OneWriter(SharedVectorEnv):
    """A `SharedVectorEnv` of the only writer of an experiment, whose service goes back to where the writer goes on."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the service has the state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the observations with which `reset` joined the experiment."""
        return self._shown()


def write(values: dict[str, Any], study: Path, access: Access) -> Outcome:
    """Play the agent of a run over its service, or the rest of the run, if the study's file is there."""
    if access.over or (missing := missing_here(study)):
        return access.outcome if access.over else missing
    try:
        run = make_config(**values)
        write_texts(run, Client(access.url, access.token))
    except Exception as failure:  # it is the run's outcome, whatever it is
        return failed(Path(values["out"]), failure, keep=True)
    return None


def write_texts(run: RunConfig, client: Client) -> None:
    """Play the agent of a run over a client, and keep its state in the run's folder after each round.

    Its metrics become `metrics.jsonl` at the end.
    """
    folder = run.folder / WRITER
    folder.mkdir(exist_ok=True)
    kept, log = load_checkpoint(folder), folder / METRICS
    size = 0 if log.exists() else None
    envs, agent = OneWriter(client, run.num_envs), fresh("agent", run.agent_options)
    offers = envs.learner.sizes.offers
    if offers % envs.num_envs:
        raise RunError(f"num_envs must divide offers_per_round = {offers}; got {envs.num_envs}.")
    played: Any = rollout(envs, agent, run.seed, None if kept is None else kept["episode"])
    with closing(LineLog(log, size if kept is None else kept["metrics"])) as metrics, closing(played) as steps:
        for step in steps:
            if step.round is None:
                continue
            index = int(step.round["index"])
            if step.metrics:
                metrics.write({"round": index, **step.metrics})
            if keeps_state(agent):
                sync(log)
                state = {"round": index, "metrics": metrics.size, "episode": state_of(envs, agent)}
                save_checkpoint(folder, index, state)
    agent.save(run.folder)
    write_text(run.folder / METRICS, log.read_text(encoding="utf-8"))


class Pair(NamedTuple):
    """A run that is played: its service, the outcomes of that and of its writer, and what is reserved for both."""

    service: Any
    served: "Future[Outcome]"
    written: "Future[Outcome]"
    group: Any


class Pairs(Ray):
    """A Ray cluster on which a run is an actor that serves its experiment and a task that plays its agent.

    They are on different machines where there is room. If one is lost, both are begun again and go on from the last
    round that both have kept.

    Args:
        study: See `Ray`.
        address: See `Ray`.
        slots: See `Ray`.
        agent: CPU cores and GPUs of an agent.
        experiment: CPU cores and GPUs of an experiment.

    Raises:
        RunError: If one of the two asks for nothing.
    """

    def __init__(
        self,
        study: Path,
        address: str | None,
        slots: int | None,
        agent: tuple[float, float] = (1, 0),
        experiment: tuple[float, float] = (1, 0),
    ) -> None:
        for names, asked in (("cpus or --gpus", agent), ("served-cpus or --served-gpus", experiment)):
            if min(asked) < 0 or sum(asked) <= 0:
                raise RunError(f"Give --{names} above 0, so that Ray finds a machine for it.")
        cpus, gpus = (one + other for one, other in zip(agent, experiment, strict=True))
        super().__init__(study, address, slots, cpus, gpus)
        self._parts = (experiment, agent)
        self._service, self._writer = self._ray.remote(Service), self._ray.remote(write)
        self._pairs: dict[Future[Outcome], Pair] = {}

    def submit(self, run: RunConfig) -> Future[Outcome]:
        """Begin a run: its service, and its writer once that is ready. The future is done when one of them is over."""
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        asked = [{"CPU": cpus, "GPU": gpus} for cpus, gpus in self._parts]
        bundles = [{kind: count for kind, count in part.items() if count > 0} for part in asked]
        group = placement_group(bundles, strategy="SPREAD")
        served, written = (
            {
                "num_cpus": part["CPU"],
                "num_gpus": part["GPU"],
                "scheduling_strategy": PlacementGroupSchedulingStrategy(group, index),
            }
            for index, part in enumerate(asked)
        )
        values = run.absolute().plain()
        service = self._service.options(**served, max_concurrency=2).remote(values, self._study)
        task = self._writer.options(**written, max_retries=0).remote(values, self._study, service.start.remote())
        pair = Pair(service, service.over.remote().future(), task.future(), group)
        first: Future[Outcome] = Future()

        def done(_: "Future[Outcome]") -> None:
            with suppress(InvalidStateError):  # the other one was over before
                first.set_result(None)

        self._pairs[first] = pair
        for future in (pair.served, pair.written):
            future.add_done_callback(done)
        return first

    def outcome(self, over: Future[Outcome]) -> Outcome:
        """Return the outcome of a run, and end what is left of it."""
        from ray.util.placement_group import remove_placement_group

        pair = self._pairs.pop(over)
        try:
            if not pair.written.done():
                return super().outcome(pair.served)
            outcome = super().outcome(pair.written)
            return super().outcome(pair.service.stop.remote().future()) or outcome
        finally:
            self._ray.kill(pair.service)
            remove_placement_group(pair.group)
