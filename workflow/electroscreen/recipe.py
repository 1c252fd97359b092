"""Recipes: all that decides a job's numbers, as plain data that can be compared and hashed.

Snakemake reruns a job when its recipe changed, and for no other reason: a comment in a YAML file,
a reformatted line of code or a touched file changes no recipe. Whoever changes what a stage
computes raises its number in `PROTOCOL`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

PROTOCOL = {
    "geometry": 1,
    "orbitals": 1,
    "charges": 1,
    "forcefield": 1,
    "box": 1,
    "dynamics": 1,
    "analysis": 1,
}


def digest(recipe: dict[str, Any]) -> str:
    """Return a short hash of a recipe, the same on every machine."""
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
