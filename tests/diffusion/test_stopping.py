import os
import signal

import pytest

from fewstain.diffusion.stopping import StopRequest


def signalled(*numbers, done):
    """A block that notes whether it came to its end after these signals."""
    with StopRequest() as stop:
        for number in numbers:
            os.kill(os.getpid(), number)
        done.append(stop.requested)


def test_ctrl_c_waits_for_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt):
        signalled(signal.SIGINT, done=done)
    assert done == [signal.SIGINT]


def test_sigterm_exits_as_a_shell_expects():
    done = []
    with pytest.raises(SystemExit) as exit_info:
        signalled(signal.SIGTERM, done=done)
    assert exit_info.value.code == 143
    assert done == [signal.SIGTERM]


def test_a_second_ctrl_c_stops_at_once():
    done = []
    with pytest.raises(KeyboardInterrupt):
        signalled(signal.SIGINT, signal.SIGINT, done=done)
    assert done == []


def test_handlers_are_put_back_and_errors_pass():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="other"), StopRequest():
        raise ValueError("other")
    with StopRequest() as stop:
        pass
    assert stop.requested is None
    assert signal.getsignal(signal.SIGINT) is before
