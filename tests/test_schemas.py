"""The shipped schemas are those of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from electroscreen.schemas import MODELS, schema_text

SCHEMAS = Path(__file__).resolve().parents[1] / "workflow" / "schemas"


@pytest.mark.parametrize("name", MODELS)
def test_shipped_schema_is_the_models_own(name):
    shipped = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(MODELS[name]), "run `electroscreen schemas`"
