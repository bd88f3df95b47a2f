import os
import signal

import pytest

from fewstain.diffusion.stopping import StopRequest


def test_ctrl_c_waits_for_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested == signal.SIGINT
        done.append("saved")
    assert done == ["saved"]


def test_sigterm_exits_as_a_shell_expects():
    with pytest.raises(SystemExit) as exit_info, StopRequest():
        os.kill(os.getpid(), signal.SIGTERM)
    assert exit_info.value.code == 143


def test_a_second_ctrl_c_stops_at_once():
    reached = False
    with pytest.raises(KeyboardInterrupt), StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert not reached


def test_handlers_are_put_back_and_errors_pass():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="other"), StopRequest():
        raise ValueError("other")
    with StopRequest() as stop:
        pass
    assert stop.requested is None
    assert signal.getsignal(signal.SIGINT) is before
