"""A time limit for calls: what it interrupts, what it leaves alone, and what it cannot do."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from signal_env.utils.errors import SignalError, at_work, origin_of
from signal_env.utils.time_limit import CallTimeout, LimitError, call_limit


def hang():
    time.sleep(30)


def test_a_call_that_hangs_is_interrupted_and_named_with_its_place():
    limited = pytest.raises(CallTimeout, match=r"within 0\.05 seconds\. It was at .*_limit\.py:\d+ \(hang\)")
    with limited as caught, call_limit(0.05), at_work("the agent Mine (act)"), at_work("the annotator 'mine'"):
        hang()
    assert isinstance(caught.value, SignalError)
    assert isinstance(caught.value, TimeoutError)
    assert origin_of(caught.value) == "This came out of the annotator 'mine'"  # the innermost one


def test_each_call_has_the_whole_time_and_nothing_is_left_behind():
    before = signal.getsignal(signal.SIGALRM)
    with call_limit(0.2):
        for _ in range(4):
            with at_work("a call"):
                time.sleep(0.1)
        time.sleep(0.3)  # between calls nothing is limited
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    with at_work("a call without a limit"):
        time.sleep(0.01)


def test_a_call_that_catches_its_interruption_is_interrupted_again():
    caught = []

    def catch():
        try:
            hang()
        except CallTimeout as error:
            caught.append(error)
        hang()

    with pytest.raises(CallTimeout), call_limit(0.05), at_work("a call"):
        catch()
    assert len(caught) == 1


def test_a_call_that_nothing_interrupts_ends_the_process_with_its_stack():
    script = """
import signal
from signal_env.utils import time_limit
from signal_env.utils.errors import at_work
time_limit.GRACE = 0.2
def deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    while True:
        pass
with time_limit.call_limit(0.1), at_work("a call"):
    deaf()
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "in deaf" in ended.stderr


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), True, "5"])
def test_a_limit_is_a_positive_number(seconds):
    with pytest.raises(LimitError, match="a number of seconds above 0"), call_limit(seconds):
        pass


def test_a_limit_needs_the_main_thread():
    found = []

    def play():
        try:
            with call_limit(1.0):
                pass
        except LimitError as error:
            found.append(str(error))

    thread = threading.Thread(target=play)
    thread.start()
    thread.join()
    assert "main thread" in found[0]


def test_calls_in_other_threads_are_left_alone():
    done = []

    def work():
        with at_work("a call of a thread"):
            done.append(True)

    with call_limit(5.0):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert done == [True]
