"""An OpenMM System of many molecules from the force fields of their species."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

EWALD_TOLERANCE = 5e-4
NEUTRAL_WITHIN_E = 1e-4
_CHARGED_FROM_E = 0.5


def build_system(
    molecules: Sequence[tuple[str, int]],
    forcefield_xmls: Mapping[str, Path],
    charge_scale: float,
    cutoff_angstrom: float,
    hydrogen_mass_amu: float,
    edge_angstrom: float,
    pme_tolerance: float = EWALD_TOLERANCE,
):
    """Return topology and system of a cubic periodic box.

    The atoms stand molecule by molecule, in the order of `molecules`. Electrostatics by particle-mesh
    Ewald (`pme_tolerance`), Lennard-Jones cut off without a switch and with the correction for the
    tail, bonds to hydrogen constrained, mass moved from heavy atoms to their hydrogens, and the
    drift of the whole box removed. Charges of species with a net charge are multiplied by `charge_scale`,
    interactions inside them accordingly by its square.

    Parameters
    ----------
    molecules
        Species and how many of each.
    forcefield_xmls
        For each species the XML file with its residue template.

    Returns
    -------
    tuple[openmm.app.Topology, openmm.System]

    Raises
    ------
    ValueError
        If a species has no force field, a bond has no term, the box is too small for the cutoff, or the
        charges do not add up to zero within 1e-4 e.
    """
    from openmm import app, unit

    if 2 * cutoff_angstrom > edge_angstrom:
        raise ValueError(f"a cutoff of {cutoff_angstrom:g} Å does not fit twice into a box of {edge_angstrom:g} Å")
    paths = {name: Path(forcefield_xmls[name]) for name, _ in molecules}
    field = app.ForceField(*(str(path) for path in paths.values()))
    topology = _topology(molecules, {name: _template(name, path) for name, path in paths.items()}, edge_angstrom)
    system = field.createSystem(
        topology,
        nonbondedMethod=app.PME,
        nonbondedCutoff=0.1 * cutoff_angstrom * unit.nanometer,
        constraints=app.HBonds,
        rigidWater=False,
        removeCMMotion=True,
        hydrogenMass=hydrogen_mass_amu * unit.amu,
        residueTemplates={residue: residue.name for residue in topology.residues()},
        ewaldErrorTolerance=pme_tolerance,
        useDispersionCorrection=True,
        switchDistance=None,
    )
    _check_bonds(topology, system)
    _scale_charges(topology, system, charge_scale)
    return topology, system


def _template(name: str, path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return names and elements of the atoms of a residue template, and its bonds by name."""
    root = ElementTree.parse(path).getroot()
    elements = {kind.get("name"): kind.get("element") for kind in root.iterfind("AtomTypes/Type")}
    residue = next((r for r in root.iterfind("Residues/Residue") if r.get("name") == name), None)
    if residue is None:
        raise ValueError(f"{path}: holds no force field of {name}")
    atoms = [(atom.get("name"), elements[atom.get("type")]) for atom in residue.iterfind("Atom")]
    return atoms, [(bond.get("atomName1"), bond.get("atomName2")) for bond in residue.iterfind("Bond")]


def _topology(molecules: Sequence[tuple[str, int]], templates: dict, edge_angstrom: float):
    from openmm import Vec3, app, unit

    topology = app.Topology()
    for name, count in molecules:
        atoms, bonds = templates[name]
        chain = topology.addChain()
        for _ in range(count):
            residue = topology.addResidue(name, chain)
            placed = {atom: topology.addAtom(atom, app.Element.getBySymbol(symbol), residue) for atom, symbol in atoms}
            for first, second in bonds:
                topology.addBond(placed[first], placed[second])
    edge = 0.1 * edge_angstrom
    topology.setPeriodicBoxVectors([Vec3(edge, 0, 0), Vec3(0, edge, 0), Vec3(0, 0, edge)] * unit.nanometer)
    return topology


def _check_bonds(topology, system) -> None:
    """OpenMM leaves out, in silence, a bond for which a force field has no term."""
    import openmm

    held = {frozenset(system.getConstraintParameters(i)[:2]) for i in range(system.getNumConstraints())}
    for force in system.getForces():
        if isinstance(force, openmm.HarmonicBondForce):
            held |= {frozenset(force.getBondParameters(i)[:2]) for i in range(force.getNumBonds())}
    for first, second in topology.bonds():
        if frozenset((first.index, second.index)) not in held:
            raise ValueError(f"{first.residue.name}: the bond {first.name}-{second.name} has no force-field term")


def _scale_charges(topology, system, scale: float) -> None:
    """Multiply the charges of charged residues, check that the box is neutral, and spread what rounding left."""
    import openmm
    from openmm import unit

    force = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    particles = [force.getParticleParameters(i) for i in range(force.getNumParticles())]
    charges = [particle[0].value_in_unit(unit.elementary_charge) for particle in particles]
    factors = [1.0] * len(charges)
    for residue in topology.residues():
        members = [atom.index for atom in residue.atoms()]
        if abs(sum(charges[i] for i in members)) > _CHARGED_FROM_E:
            for i in members:
                factors[i] = scale
    scaled = [factor * charge for factor, charge in zip(factors, charges, strict=True)]
    excess = sum(scaled)
    if abs(excess) > NEUTRAL_WITHIN_E:
        raise ValueError(f"the box carries {excess:+.4f} e, but must be neutral: check the numbers of ions")
    for i, (_, sigma, epsilon) in enumerate(particles):
        force.setParticleParameters(i, scaled[i] - excess / len(scaled), sigma, epsilon)
    for i in range(force.getNumExceptions()):
        first, second, product, sigma, epsilon = force.getExceptionParameters(i)
        force.setExceptionParameters(i, first, second, product * factors[first] * factors[second], sigma, epsilon)
