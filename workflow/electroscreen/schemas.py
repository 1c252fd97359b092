"""JSON schemas of all input files, for editors that complete and check YAML; made from the models, which decide."""

from __future__ import annotations

import json
from pathlib import Path

from electroscreen.complexes import Complex
from electroscreen.inputs import Model
from electroscreen.papers import Paper
from electroscreen.recipes import BoxRecipe
from electroscreen.record import write_text
from electroscreen.settings import Settings
from electroscreen.species import Species

MODELS: dict[str, type[Model]] = {
    "species": Species,
    "complex": Complex,
    "box": BoxRecipe,
    "paper": Paper,
    "settings": Settings,
}


def schema_text(model: type[Model]) -> str:
    """Return the JSON schema of a model, with sorted keys."""
    return json.dumps(model.model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write one schema a kind of file."""
    for name, model in MODELS.items():
        write_text(Path(folder) / f"{name}.schema.json", schema_text(model))
