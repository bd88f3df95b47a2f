"""Options that several verbs share, and how their text becomes values."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from fewstain.errors import UserError
from fewstain.overrides import parse_set
from fewstain.presets import PRESETS
from fewstain.settings import Preset
from fewstain.validation import validate

Section = TypeVar("Section", bound=BaseModel)


def _positive(value: float | None) -> float | None:
    """Refuse what is no length; a minimum of 0 would let 0 pass."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is no size; give a number above 0")
    return value


DatasetDir = Annotated[Path, typer.Argument(help="The dataset's folder, with images/ and maybe labels/ and test/.")]
ResultsDir = Annotated[Path, typer.Argument(help="A results folder, with diffusion/ and pixels/ in it.")]
PresetOption = Annotated[
    Preset, typer.Option(help="How much computing: minutes on 2 cores, under an hour, or an evening on a GPU.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one number of the preset; repeatable. See below."),
]
ChannelsOption = Annotated[
    str | None, typer.Option(metavar="0,2", help="Channels to segment, counted from 0; all of them by default.")
]
ModelledOption = Annotated[
    str | None, typer.Option(metavar="0,2", help="Channels to learn, counted from 0; all of them by default.")
]
PixelSizeOption = Annotated[
    float | None, typer.Option(callback=_positive, help="Side of a pixel in µm where files don't tell.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]

_STATE = "Folder for the training state: the same command goes on from it."
StateOption = Annotated[Path, typer.Option(help=_STATE)]
MaybeStateOption = Annotated[Path | None, typer.Option(help=_STATE)]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Begin anew where settings or images have changed, instead of refusing.")
]


def channels_of(text: str | None) -> tuple[int, ...] | None:
    """Read "0,2" as (0, 2); None stays None."""
    return None if text is None else numbers_of(text, "--channels")


def numbers_of(text: str, option: str) -> tuple[int, ...]:
    """Read "0,2", given for an option, as (0, 2)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise UserError(f"{option} {text}: write different numbers, counted from 0, as in 0,2")
    return tuple(int(part) for part in parts)


def size_of(text: str) -> tuple[int, int]:
    """Read "64" as (64, 64) and "64x96", rows by columns, as (64, 96)."""
    parts = [part.strip() for part in text.lower().split("x")]
    if len(parts) not in (1, 2) or not all(part.isdecimal() and int(part) for part in parts):
        raise UserError(f"--size {text}: write a side in pixels, as in 64, or rows and columns, as in 64x96")
    return int(parts[0]), int(parts[-1])


def section_settings(
    model: type[Section], section: str, preset: Preset, changes: list[str] | None, base: Section | None = None
) -> Section:
    """Return one section of a preset, or `base` where that is given, with the `--set` options applied.

    Raises
    ------
    UserError
        For an unknown key (with the nearest valid one), a value out of range, or a key of another section, which would
        have no effect.
    """
    overrides = parse_set(changes or ())
    for other in overrides.keys() - {section}:
        raise UserError(f"--set {other}.*: has no effect here; this verb takes {section}.* only")
    numbers: dict[str, Any] = (base or getattr(PRESETS[preset], section)).model_dump(mode="json")
    return validate(model, numbers | overrides.get(section, {}), f"--set {section}")


def settings_help(model: type[BaseModel], section: str) -> str:
    """List every key of a section for `--help`: default of preset cpu, range, meaning."""
    lines = [f"Keys for --set, with the value they have in preset {Preset.cpu.value}:"]
    schema = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        facts = [text for text in (_range(schema[name]), field.description) if text]
        lines.append(f"{section}.{name}={_text(field.default)}" + (f" — {'; '.join(facts)}" if facts else ""))
    return "\n\n".join(lines)


def _range(schema: dict[str, Any]) -> str:
    """Put what a JSON schema allows in words."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "items" in schema or "prefixItems" in schema:
        inner = _range(schema.get("items") or schema["prefixItems"][0])
        return f"each {inner}" if inner else ""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema)


def _text(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def print_json(content: Any) -> None:
    """Print what a program may read, on standard output."""
    import json

    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Print what a person may want to know, on standard error."""
    print(text, file=sys.stderr)
