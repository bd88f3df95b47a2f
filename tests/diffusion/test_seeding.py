import torch

from fewstain.diffusion.seeding import seeded


def test_what_is_drawn_within_is_of_the_seed_and_what_is_drawn_after_is_not():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(1):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(1):
        assert torch.equal(torch.rand(3), first)
    with seeded(2):
        assert not torch.equal(torch.rand(3), first)
