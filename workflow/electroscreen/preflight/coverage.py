"""Which layer will give each species in a box its force field, as far as that is known without computing."""

from __future__ import annotations

from electroscreen.preflight.asked import Asked
from electroscreen.preflight.findings import Findings
from electroscreen.recipe import digest
from electroscreen.recipes import molecules_of
from electroscreen.record import OK, read_json
from electroscreen.settings import ForceField
from electroscreen.species import Species, parse_xyz

NONE = "none"
COMPUTED = "computed here"
GAFF2 = "GAFF2, the terms that it lacks fitted to a Hessian"
FITTED = "fitted to a Hessian"
LARGEST_IN_LIBRARY = 20


def look_at_force_fields(asked: Asked) -> Findings:
    """Say by layer which species it covers, and which boxes cannot be built for want of one."""
    found, layers, lacking = Findings(), {}, {}
    for name in asked.in_boxes:
        layer, why = _computed(asked, name) or expected_layer(asked.every[name], asked.settings.forcefield)
        layers.setdefault(layer, []).append(name)
        if layer == NONE:
            lacking[name] = why
        elif wrong := _not_gaff2(asked, name):
            found.faults.append(wrong)
    if layers:
        told = "; ".join(f"{layer}: {', '.join(names)}" for layer, names in layers.items())
        found.facts.append(f"force fields of {len(asked.in_boxes)} species in boxes: {told}")
    for name, why in lacking.items():
        boxes = [box for box, recipe in asked.boxes.items() if name in molecules_of(recipe, asked.every)]
        found.warnings.append(f"{name} gets no force field ({why}), so these are not built: {', '.join(boxes)}")
    return found


def expected_layer(species: Species, settings: ForceField) -> tuple[str, str]:
    """Return the layer that will speak for a species, 'none' where all refuse, and why they do."""
    import numpy as np

    from electroscreen.forcefield import derived, graph, typing, user
    from electroscreen.forcefield.published import published
    from electroscreen.forcefield.terms import Parameters
    from electroscreen.quantum.structures import embedded_conformers

    given = species.xyz or (species.start.xyz if species.start else None)
    positions = np.array([x for _, x in parse_xyz(given)]) if given else None
    if positions is None and 1 < len(species.symbols) <= LARGEST_IN_LIBRARY and "." not in species.smiles:
        # The library asks for angles; any will do here.
        positions = next(iter(embedded_conformers(species, 1)), None)
    plain = graph.skeleton(species, positions)
    own = user.own_parameters(species.forcefield, species, plain) if species.forcefield else Parameters()
    if own.missing:
        return NONE, "; ".join(map(str, own.missing))
    if own.terms and not user.gaps(own.terms, species, plain):
        return "the species file", ""
    own_charges = settings.library_charges == "published"
    library = published(species, plain, positions, settings.ion_set, own_charges)
    # Angles that an entry lacks because they are straight, as in PF6, can be told in a computed geometry only.
    if library is not None and (given is None or not user.overridden(library, own).missing):
        return "library", ""
    refused = [] if library is not None else typing.refusals_of(species, plain)
    if not refused and library is None:
        return GAFF2, ""
    if len(species.symbols) > 1 and not species.is_long_chain:
        sizes = {term.atoms[0]: term for term in own.terms if term.term == "lj"}
        fit_refused = derived.refusals_of(species, plain, sizes)
        if not fit_refused:
            return FITTED, ""
        refused = [*refused, *map(str, fit_refused)]
    return NONE, "; ".join(dict.fromkeys(refused))


def _not_gaff2(asked: Asked, name: str) -> str | None:
    """What is wrong with a force field from the time when parmchk2 read another file than it was asked for."""
    from electroscreen.forcefield import amber, typing

    path = asked.project.species_folder(name) / "forcefield.json"
    try:
        types = typing.wrong_gaff2(read_json(path)["parameters"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, amber.ProgramError):
        return None
    if not types:
        return None
    return (
        f"{path}: its terms are named GAFF2's and are the old GAFF's ({', '.join(types)}), by a fault of parmchk2 that "
        "is mended since: delete it, and it is made anew with the boxes that hold it"
    )


def _computed(asked: Asked, name: str) -> tuple[str, str] | None:
    """What the stage itself said, where it has run with today's recipe."""
    try:
        record = read_json(asked.project.species_folder(name) / "forcefield.json")
        if record["provenance"]["recipe_hash"] != digest(asked.project.recipe("forcefield", name)):
            return None
        return (COMPUTED, "") if record["verdict"] == OK else (NONE, record["verdict"].removeprefix("no force field: "))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Not there, or half a file: both are made anew.
        return None
