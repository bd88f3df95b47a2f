"""Functions of the standard library, for a new process can't import those of a test."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fewstain.benchmark.child import in_child
from fewstain.errors import UserError
from fewstain.logfile import tee_output
from fewstain.storage import read_json

WAITS = """
from fewstain.benchmark.child import in_child
if __name__ == "__main__":
    in_child(exec, "import os, time\\nopen(os.environ['MARK'], 'w').write(str(os.getpid()))\\ntime.sleep(60)")
"""


def test_what_returns_ended_well():
    assert in_child(abs, 1) is None


def test_what_is_killed_is_told():
    assert in_child(signal.raise_signal, signal.SIGKILL) == "killed by signal 9 (SIGKILL)"
    assert in_child(os.abort) == "killed by signal 6 (SIGABRT)"
    assert in_child(os._exit, 3) == "ended with exit code 3"


def test_an_error_of_the_users_is_raised_and_another_one_is_a_fault(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        in_child(read_json, tmp_path / "nowhere.json")
    with pytest.raises(RuntimeError, match="traceback is above"):
        in_child(int, "no number")


def test_a_stop_is_no_failure():
    with pytest.raises(KeyboardInterrupt):
        in_child(signal.raise_signal, signal.SIGINT)
    with pytest.raises(SystemExit):
        in_child(signal.raise_signal, signal.SIGTERM)


def test_what_it_says_goes_to_the_log_as_well(tmp_path):
    with tee_output(tmp_path / "log", "some-verb"):
        print("before")
        in_child(print, "in between")
        print("after")
        with pytest.raises(RuntimeError):
            in_child(int, "no number")
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[2:5] == ["before", "in between", "after"]
    assert lines[-1] == "ValueError: invalid literal for int() with base 10: 'no number'"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -2), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_who_stops_the_parent_stops_the_child(tmp_path, number, code):
    (tmp_path / "waits.py").write_text(WAITS)
    mark = tmp_path / "mark"
    parent = subprocess.Popen([sys.executable, tmp_path / "waits.py"], env=os.environ | {"MARK": str(mark)})
    while not (mark.exists() and mark.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    child = int(mark.read_text())
    parent.send_signal(number)
    assert parent.wait(30) == code
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the child lives on")
