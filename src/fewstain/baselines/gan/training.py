"""Training of generator, discriminator and encoder on the pool of unlabeled images, in one loop."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from fewstain.baselines.gan.augmentation import adapted, augment
from fewstain.baselines.gan.discriminator import Discriminator, Encoder
from fewstain.baselines.gan.generator import FIRST_SIDE, Generator
from fewstain.baselines.pool_training import crops_of, train_on_pool
from fewstain.baselines.presets import GanSettings
from fewstain.dataset import Dataset
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.state import Training
from fewstain.errors import UserError

CONFIG, WEIGHTS, SAMPLES = "gan.json", "gan.safetensors", "samples.png"
BETAS = (0.0, 0.99)  # of Adam, as in StyleGAN2
MIXING = 0.9  # share of images whose layers have two latents
REGULARISED = 16  # every so many steps the discriminator's gradient is held down (R1, "lazy")
SHOWN = 16


class Gan(nn.Module):
    """The three networks, and how likely the discriminator's images are augmented.

    Parameters
    ----------
    settings
        Of the networks.
    image_channels
        Of the images.
    """

    def __init__(self, settings: GanSettings, image_channels: int) -> None:
        super().__init__()
        self.settings, self.image_channels = settings, image_channels
        self.generator = Generator(settings.widths, settings.width, image_channels)
        self.discriminator = Discriminator(settings.widths, image_channels)
        self.encoder = Encoder(settings.widths, settings.width, self.generator.layers, image_channels)
        # a parameter, though nothing learns it, so that it is saved with the rest
        self.augmentation = nn.Parameter(torch.zeros(()), requires_grad=False)

    def draw(self, n: int, generator: torch.Generator, mixing: float = 0.0) -> Tensor:
        """Draw (n, layers, width) latents; a share of them is mixed of two, the second from a random layer on."""
        device = self.augmentation.device
        first, second = (self.generator.latents(_normal(n, self.settings.width, generator, device)) for _ in range(2))
        layers = self.generator.layers
        switch = torch.randint(1, layers, (n,), generator=generator)
        switch = torch.where(torch.rand(n, generator=generator) < mixing, switch, layers).to(device)
        later = torch.arange(layers, device=device) >= switch[:, None]
        return torch.where(later[..., None], second[:, None], first[:, None])

    def save(self, folder: Path) -> None:
        """Write gan.safetensors, gan.json and samples.png."""
        save_file(
            {name: each.detach().cpu().contiguous() for name, each in self.state_dict().items()}, folder / WEIGHTS
        )
        facts = {"settings": self.settings.model_dump(mode="json"), "image_channels": self.image_channels}
        (folder / CONFIG).write_text(json.dumps(facts) + "\n", encoding="utf-8")
        with torch.inference_mode():
            images, _ = self.generator(self.draw(SHOWN, torch.Generator().manual_seed(0)))
        write_mosaic(folder / SAMPLES, images.clamp(-1, 1).cpu())


def load_gan(folder: Path) -> Gan:
    """Read what `Gan.save` wrote; UserError where it is missing or damaged."""
    try:
        facts = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        gan = Gan(GanSettings(**facts["settings"]), facts["image_channels"])
        gan.load_state_dict(load_file(folder / WEIGHTS))
    except Exception as fault:  # json, pydantic, safetensors and torch each raise their own kinds
        raise UserError(f"{folder}: holds no GAN ({fault}); delete the folder and train again") from fault
    return gan.eval()


def train_gan(
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: GanSettings,
    *,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
) -> None:
    """Train a GAN and its encoder on the pool, or go on where the last call was stopped; see `train_on_pool`.

    Raises
    ------
    UserError
        A crop that is not the side of the images the widths give, and as `train_on_pool`.
    """
    side = FIRST_SIDE * 2 ** (len(settings.widths) - 1)
    if settings.crop != side:
        raise UserError(f"gan.crop is {settings.crop}; {len(settings.widths)} widths paint images of {side} pixels")

    def loss(training: Training[Gan], pool: Pool, step: int, accelerator: Accelerator) -> Tensor:
        for group in training.optimisers[0].param_groups:
            group["betas"] = BETAS
        real, random = crops_of(pool, settings, seed, step)
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        return gan_loss(training.network, real, generator, regularise=step % REGULARISED == 0)

    def save(gan: Gan, folder: Path) -> Path:
        gan.save(folder)
        return folder / WEIGHTS

    train_on_pool(
        dataset,
        out,
        state,
        settings,
        section="gan",
        build=lambda image_channels: Gan(settings, image_channels),
        loss=loss,
        save=save,
        contents={CONFIG, WEIGHTS, SAMPLES},
        channels=channels,
        seed=seed,
    )


def gan_loss(gan: Gan, real: Tensor, generator: torch.Generator, *, regularise: bool) -> Tensor:
    """Losses of all three networks in one sum, whose parts each reach the weights of one network only.

    The generator's loss is taken with the discriminator's weights as they are, and the other way round, so that one
    step of one optimiser changes all three, each by its own loss (non-saturating, with R1: Mescheder et al., ICML
    2018).

    Parameters
    ----------
    real
        (B, C, S, S) crops in [-1, 1].
    generator
        The only source of chance.
    regularise
        Whether to add R1, for all the steps up to the next one that has it.
    """
    chance = float(gan.augmentation)
    latents = gan.draw(len(real), generator, MIXING)
    fake, _ = gan.generator(latents, generator)
    of_generator = functional.softplus(-_frozen(gan.discriminator, augment(fake, chance, generator))).mean()
    seen = augment(real, chance, generator).requires_grad_(regularise)
    real_scores = gan.discriminator(seen)
    fake_scores = gan.discriminator(augment(fake.detach(), chance, generator))
    of_discriminator = functional.softplus(-real_scores).mean() + functional.softplus(fake_scores).mean()
    if regularise:
        (slope,) = torch.autograd.grad(real_scores.sum(), seen, create_graph=True)
        of_discriminator = of_discriminator + 0.5 * gan.settings.r1 * REGULARISED * slope.square().sum((1, 2, 3)).mean()
    with torch.no_grad():
        gan.augmentation.fill_(adapted(chance, real_scores))
    return of_generator + of_discriminator + encoder_loss(gan, real, fake.detach(), latents.detach())


def encoder_loss(gan: Gan, real: Tensor, fake: Tensor, latents: Tensor) -> Tensor:
    """How far the encoder misses the latents of painted images, and real images painted by what it finds in them."""
    half = max(1, len(real) // 2)
    of_latents = functional.mse_loss(gan.encoder(fake[:half]), latents[:half])
    weights = {name: each.detach() for name, each in gan.generator.named_parameters()}
    again, _ = functional_call(gan.generator, weights, (gan.encoder(real[:half]),))
    return of_latents + functional.mse_loss(again, real[:half])


def _frozen(network: nn.Module, images: Tensor) -> Tensor:
    """Apply a network whose weights get no gradient from this."""
    weights = {name: each.detach() for name, each in network.named_parameters()}
    scores: Tensor = functional_call(network, weights, (images,))
    return scores


def _normal(n: int, width: int, generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randn((n, width), generator=generator).to(device)
