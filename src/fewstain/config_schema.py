"""The JSON schema of config.yaml; `python -m fewstain.config_schema` writes workflow/schemas/config.schema.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fewstain.config import SECTIONS, Config
from fewstain.pair_settings import PAIR_SECTIONS, LayoutSettings, PainterSettings, PairSettings
from fewstain.settings import Settings


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml."""
    schema = Config.model_json_schema()
    dataset = schema["$defs"]["DatasetSettings"]["properties"]
    for section in SECTIONS:
        # what stands here when nothing is written is the preset's number, which a schema cannot tell
        dataset[section].pop("default", None)
        for key in schema["$defs"][Settings.model_fields[section].annotation.__name__]["properties"].values():  # type: ignore[union-attr]
            key.pop("default", None)
    for section in PAIR_SECTIONS:
        dataset[section].pop("default", None)
    for pair_model in (LayoutSettings, PainterSettings, PairSettings):
        for key in schema["$defs"][pair_model.__name__]["properties"].values():
            key.pop("default", None)
    for section in SECTIONS:
        schema["$defs"]["BenchmarkSettings"]["properties"][section].pop("default", None)
    written_only = {
        "Across": {"conditions": "ConditionalSettings"},
        "LatentWish": {"vae": "VaeSettings", "diffusion": "DiffusionSettings"},
        "ControlWish": {"numbers": "ControlSettings"},
        "TranslationWish": {"numbers": "TranslationSettings"},
    }
    for holder, keys in written_only.items():
        for key, name in keys.items():
            schema["$defs"][holder]["properties"][key].pop("default", None)
            for number in schema["$defs"][name]["properties"].values():
                number.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    target = Path("workflow/schemas/config.schema.json")
    target.write_text(json.dumps(config_schema(), indent=2) + "\n", encoding="utf-8")
