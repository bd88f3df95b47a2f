"""A preset's numbers with some of them replaced, from config.yaml or from the command line, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fewstain.errors import UserError
from fewstain.presets import PRESETS
from fewstain.settings import Preset, Settings
from fewstain.validation import nearest, validate


def resolve(
    preset: Preset | str, overrides: Mapping[str, Mapping[str, Any]] | None = None, source: str = "settings"
) -> Settings:
    """Return a preset's numbers with some of them replaced.

    Parameters
    ----------
    preset
        One of `Preset`.
    overrides
        For each section ("diffusion", "pixels", …) the keys to replace.
    source
        Named in messages.

    Raises
    ------
    UserError
        For an unknown preset, an unknown key, or a value out of range.
    """
    if preset not in PRESETS:
        raise UserError(f"{source}: no preset {str(preset)!r}; {nearest(str(preset), list(PRESETS))}")
    numbers: dict[str, Any] = PRESETS[Preset(preset)].model_dump(mode="json")
    for section, changed in (overrides or {}).items():
        known = numbers.get(section)
        numbers[section] = {**known, **changed} if known and isinstance(changed, Mapping) else changed
    return validate(Settings, numbers, source)


def cli_options(settings: Settings, preset: Preset | str) -> list[str]:
    """Return the command line options that give `settings` again: the preset and only what differs from it."""
    options = ["--preset", str(Preset(preset))]
    base = PRESETS[Preset(preset)].model_dump(mode="json")
    for section, numbers in settings.model_dump(mode="json").items():
        for key, value in numbers.items():
            if value != base[section][key]:
                options += ["--set", f"{section}.{key}={json.dumps(value, separators=(',', ':'))}"]
    return options


def parse_set(items: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read `--set` options: "diffusion.steps=200" becomes {"diffusion": {"steps": 200}}; the last one counts.

    Values are JSON; a bare word (`diffusion.betas=cosine`) is taken as text.
    """
    overrides: dict[str, dict[str, Any]] = {}
    for item in items:
        name, equals, text = item.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise UserError(f"--set {item}: cannot be read; write it as section.key=value, as in diffusion.steps=200")
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            if not text.isidentifier():
                raise UserError(f"--set {item}: {text!r} is no JSON value; lists are written [16,32]") from error
            value = text
        overrides.setdefault(section, {})[key] = value
    return overrides
