import io

import torch

from fewstain.diffusion import progress as subject
from fewstain.diffusion.progress import StepProgress, device_name, peak_memory_bytes


def test_lines_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(subject, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    with StepProgress("training", 4, done=1, images_per_step=8, stream=stream) as progress:
        assert progress.due(2)
        progress.show(2, loss=0.25)
        progress.show(4, loss=0.125)
    first, last = stream.getvalue().splitlines()
    assert first.startswith("training: 2/4, loss 0.2500, ")
    assert "images/s, peak " in first
    assert last.startswith("training: 4/4, loss 0.1250, ")
    assert last.endswith("0:00:00 left")


def test_a_line_now_and_then_and_at_the_end():
    with StepProgress("training", 10, stream=io.StringIO()) as progress:
        assert not progress.due(3)
        assert progress.due(10)


def test_peak_memory_is_in_bytes():
    before = peak_memory_bytes(torch.device("cpu"))
    block = torch.ones(50_000_000, dtype=torch.uint8)
    assert 20e6 < before <= peak_memory_bytes() < 100e9
    del block


def test_a_gpu_is_told_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert [device_name(torch.device(each)) for each in ("cpu", "cuda:1")] == ["cpu", "GPU 1"]
