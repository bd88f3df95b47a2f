import pytest
import torch

from fewstain.diffusion import precision as subject
from fewstain.diffusion.precision import Precision, choose_precision, start_accelerator


@pytest.fixture(autouse=True)
def _nothing_told(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is not timed")
@pytest.mark.parametrize(("float32", "bfloat16", "chosen"), [(1.5, 1.0, "bf16"), (1.1, 1.0, "no"), (1.0, 2.0, "no")])
def test_bfloat16_is_chosen_where_it_is_clearly_faster(monkeypatch, float32, bfloat16, chosen):
    monkeypatch.setattr(subject, "_probe_seconds", lambda: (float32, bfloat16))
    assert choose_precision() == Precision(chosen, channels_last=chosen == "bf16")


@pytest.mark.parametrize("told", ["no", "bf16"])
def test_what_accelerate_was_told_decides(monkeypatch, told):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
    monkeypatch.setattr(subject, "_probe_seconds", lambda: pytest.fail("not to be timed"))
    assert choose_precision().mixed == told


def test_probe_times_both():
    assert all(0 < seconds < 60 for seconds in subject._probe_seconds(repeats=1))


def test_two_trainings_in_one_process_may_differ_in_precision():
    for mixed in ("bf16", "no", "bf16"):
        accelerator = start_accelerator(Precision(mixed, channels_last=False))
        product = torch.ones(2, 2, device=accelerator.device)
        with accelerator.autocast():
            product = product @ product
        assert product.dtype == (torch.bfloat16 if mixed == "bf16" else torch.float32)


def test_channels_last_changes_the_layout_only():
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    laid_out = Precision("no", channels_last=True).lay_out(images)
    assert laid_out.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(laid_out, images)
    assert Precision("no", channels_last=False).lay_out(images) is images
