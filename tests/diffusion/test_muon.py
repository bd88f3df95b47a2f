import pytest
import torch
from torch import nn

from fewstain.diffusion.loop import new_optimisers
from fewstain.diffusion.muon import Muon, hidden_matrices, orthogonal
from fewstain.diffusion.network import build_denoiser
from fewstain.settings import DiffusionSettings, TrainingSettings


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_singular_values_come_close_to_one_and_singular_vectors_stay(shape):
    matrix = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    within = left.mT @ orthogonal(matrix) @ right.mT  # diagonal, if the singular vectors are the same
    values = within.diagonal(dim1=1, dim2=2)
    assert (within - torch.diag_embed(values)).abs().max() < 1e-4
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_the_scale_of_a_gradient_does_not_matter():
    matrix = torch.tensor([[[3.0, 1.0], [1.0, -2.0]]])
    torch.testing.assert_close(orthogonal(matrix), orthogonal(1000 * matrix))
    assert not orthogonal(torch.zeros(1, 2, 3)).any()


def test_a_step_is_orthogonal_and_of_the_size_of_adamws():
    weight = nn.Parameter(torch.zeros(8, 2, 2, 2))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    Muon([weight], lr=0.01, weight_decay=0.0).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.01 * 0.2, rel=0.25)
    matrix = weight.detach().reshape(8, 8) / (0.01 * 0.2 * 8**0.5)
    values = torch.linalg.svdvals(matrix)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_weights_decay_and_those_without_a_gradient_stay():
    decayed, still = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    decayed.grad = torch.zeros(2, 2)
    Muon([decayed, still], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(decayed.detach(), torch.full((2, 2), 0.95))
    torch.testing.assert_close(still.detach(), torch.ones(2, 2))


def test_the_order_of_memory_changes_nothing():
    steps = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        generator = torch.Generator().manual_seed(0)
        weight = nn.Parameter(torch.randn(4, 3, 3, 3, generator=generator).to(memory_format=memory_format))
        weight.grad = torch.randn(4, 3, 3, 3, generator=generator).to(memory_format=memory_format)
        Muon([weight], lr=0.01, weight_decay=0.0).step()
        steps.append(weight.detach())
    torch.testing.assert_close(steps[0], steps[1])


def test_first_and_last_layers_vectors_and_frozen_weights_are_not_muons():
    denoiser = build_denoiser(DiffusionSettings(channels=(8, 8)), 1)
    matrices = {id(each) for each in hidden_matrices(denoiser)}
    names = {name for name, each in denoiser.named_parameters() if each.ndim > 1 and id(each) not in matrices}
    assert names == {"unet.conv_in.weight", "unet.conv_out.weight"}
    learned = [denoiser.unet.conv_in.weight, denoiser.unet.mid_block.resnets[0].conv1.weight]
    adamw, muon = new_optimisers(denoiser, learned, TrainingSettings(muon=True))
    assert [id(each) for each in adamw.param_groups[0]["params"]] == [id(learned[0])]
    assert [id(each) for each in muon.param_groups[0]["params"]] == [id(learned[1])]
    assert len(new_optimisers(denoiser, learned, TrainingSettings())) == 1
