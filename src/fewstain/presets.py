"""The presets: what each of them says of every section of settings."""

from __future__ import annotations

from fewstain.settings import (
    ConditionalSettings,
    ControlSettings,
    DiffusionSettings,
    PixelSettings,
    Preset,
    SegmenterSettings,
    SegmentSettings,
    Settings,
    TranslationSettings,
    VaeSettings,
)

_DEMO = Settings(
    diffusion=DiffusionSettings(
        channels=(32, 64, 64),
        steps=250,
        warmup_steps=25,
        ema_decay=0.98,
        checkpoint_seconds=20,
        samples=8,
        sample_steps=20,
    ),
    pixels=PixelSettings(
        timesteps=(20, 80), components=8, members=3, views=4, steps=200, decoder_trials=40, decoder_views=2
    ),
    segmenter=SegmenterSettings(
        steps=120,
        fold_steps=80,
        warmup_steps=10,
        ema_decay=0.98,
        checkpoint_seconds=20,
        decoder_trials=40,
    ),
)

_GPU = Settings(
    diffusion=DiffusionSettings(
        channels=(64, 128, 256),
        layers_per_block=2,
        crop=128,
        batch_size=32,
        steps=20_000,
        learning_rate=4e-4,
        warmup_steps=500,
        ema_decay=0.999,
        samples=64,
        sample_steps=50,
    ),
    pixels=PixelSettings(
        timesteps=(10, 20, 50, 80, 120, 160, 250),
        noise_draws=2,
        views=8,
        members=10,
        hidden=(128, 32),
        steps=2000,
        batch_pixels=16_384,
        folds=5,
        decoder_trials=200,
    ),
    segmenter=SegmenterSettings(
        crop=128,
        batch_size=16,
        steps=3000,
        fold_steps=2000,
        learning_rate=4e-4,
        ema_decay=0.998,
        views=32,
        decoder_trials=200,
    ),
    segment=SegmentSettings(tile=1024, overlap=64, flips=True),
)

# cpu is what the fields' defaults say; the other two name only what differs from it
PRESETS: dict[Preset, Settings] = {Preset.demo: _DEMO, Preset.cpu: Settings(), Preset.gpu: _GPU}

# A crop is 4 times shorter in latents, and 2 times in blocks of pixels: so a crop of twice the side costs as much.
_OF_LATENTS = {"unshuffle": 1, "crop": 128, "small_timestep_share": 0.0}
LATENT_PRESETS: dict[Preset, DiffusionSettings] = {
    preset: DiffusionSettings.model_validate(settings.diffusion.model_dump(exclude_unset=True) | _OF_LATENTS)
    for preset, settings in PRESETS.items()
}

VAE_PRESETS: dict[Preset, VaeSettings] = {
    Preset.demo: VaeSettings(steps=300, warmup_steps=30, ema_decay=0.98, checkpoint_seconds=20),
    Preset.cpu: VaeSettings(),
    Preset.gpu: VaeSettings(
        channels=(64, 128),
        layers_per_block=2,
        crop=128,
        batch_size=32,
        steps=20_000,
        learning_rate=1e-3,
        warmup_steps=500,
        ema_decay=0.999,
    ),
}

# a control trains on what its denoiser was trained on, for a part of its time
CONTROL_PRESETS: dict[Preset, ControlSettings] = {
    Preset.demo: ControlSettings(steps=200, warmup_steps=20, ema_decay=0.98, checkpoint_seconds=20, samples=4),
    Preset.cpu: ControlSettings(),
    Preset.gpu: ControlSettings(
        crop=128, batch_size=32, steps=10_000, learning_rate=1e-3, warmup_steps=500, ema_decay=0.999, sample_steps=50
    ),
}

TRANSLATION_PRESETS: dict[Preset, TranslationSettings] = {
    Preset.demo: TranslationSettings(
        channels=(48, 48, 48), steps=300, warmup_steps=30, ema_decay=0.98, checkpoint_seconds=20, samples=4
    ),
    Preset.cpu: TranslationSettings(),
    Preset.gpu: TranslationSettings(
        unshuffle=2,
        channels=(64, 128, 256),
        layers_per_block=2,
        batch_size=16,
        steps=20_000,
        learning_rate=4e-4,
        warmup_steps=500,
        ema_decay=0.999,
    ),
}

# conditions train as long as what they condition: the same presets, with the fields' defaults of `ConditionalSettings`
CONDITIONAL_PRESETS: dict[Preset, ConditionalSettings] = {
    preset: ConditionalSettings(**settings.diffusion.model_dump(exclude_unset=True))
    for preset, settings in PRESETS.items()
}
