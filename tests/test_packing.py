"""Packing: rigid molecules, periodic from the start, never closer than 2 Å, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from forcefield_helpers import embedded, force_field, positions, species

from electroscreen.boxes import packing
from electroscreen.boxes.build import write_packing
from electroscreen.boxes.packing import PackingError, Part, check_length, pack
from electroscreen.record import read_json, write_json
from electroscreen.settings import Settings, read_settings

EDGE = 22.0


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    """About what a small electrolyte holds: 30 DOL, 4 ion pairs."""
    return [
        Part("Na", ["Na"], np.zeros((1, 3)), 4),
        Part("TFSI", species("TFSI").symbols, positions("TFSI"), 4),
        Part("DOL", species("DOL").symbols, positions("DOL"), 30),
    ]


@pytest.fixture(scope="module")
def packed(parts) -> np.ndarray:
    """Their positions in a cube of 22 Å."""
    return pack(parts, EDGE, seed=7)


def molecules(parts: list[Part], packed: np.ndarray) -> list[tuple[Part, np.ndarray]]:
    """Each molecule's part and its own positions, in the order promised."""
    found, first = [], 0
    for part in parts:
        for _ in range(part.count):
            found.append((part, packed[first : first + len(part.symbols)]))
            first += len(part.symbols)
    assert first == len(packed)
    return found


def nearest_of_two_molecules(parts: list[Part], packed: np.ndarray, edge: float) -> float:
    """Smallest distance between atoms of different molecules over all 27 images."""
    owner = np.repeat(np.arange(sum(p.count for p in parts)), [len(p.symbols) for p in parts for _ in range(p.count)])
    shifts = edge * (np.stack(np.meshgrid(*3 * [[-1, 0, 1]]), axis=-1).reshape(-1, 3))
    wrapped = packed % edge
    smallest = np.inf
    for shift in shifts:
        distances = np.linalg.norm(wrapped[:, None] - wrapped[None] + shift, axis=-1)
        smallest = min(smallest, distances[owner[:, None] != owner[None]].min())
    return smallest


def test_no_two_molecules_are_closer_than_two_angstrom(parts, packed):
    assert nearest_of_two_molecules(parts, packed, EDGE) >= 2.0 - 1e-3


def test_the_box_is_filled_to_its_walls():
    """A packing that keeps away from the walls leaves a gap there once it is repeated."""
    x = pack([Part("DOL", species("DOL").symbols, positions("DOL"), 72)], EDGE, seed=1)
    wrapped = np.sort(x % EDGE, axis=0)
    gaps = np.diff(np.vstack([wrapped, wrapped[:1] + EDGE]), axis=0)
    assert gaps.max() < 1.2


def test_every_molecule_is_a_rigid_copy(parts, packed):
    for part, own in molecules(parts, packed):
        wanted = np.linalg.norm(part.positions_angstrom[:, None] - part.positions_angstrom[None], axis=-1)
        assert np.linalg.norm(own[:, None] - own[None], axis=-1) == pytest.approx(wanted, abs=1e-3)


def test_handedness_is_kept():
    """Distances alone would pass a mirror image: the signed volume of four atoms does not."""
    one = species("CHFClBr", "F[C@](Cl)(Br)[H]")
    x = embedded("F[C@](Cl)(Br)[H]")
    part = Part("CHFClBr", one.symbols, x, 20)
    volume = np.linalg.det(x[1:4] - x[0])
    for _, own in molecules([part], pack([part], 25.0, seed=1)):
        assert np.linalg.det(own[1:4] - own[0]) == pytest.approx(volume, rel=1e-2)


def test_molecules_are_turned_every_way(parts, packed):
    """Normals of the DOL rings point anywhere: the mean of n n is a third of the unit matrix."""
    rings = [own for part, own in molecules(parts, packed) if part.species == "DOL"]
    normals = np.array([np.cross(own[1] - own[0], own[2] - own[0]) for own in rings])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    assert np.linalg.eigvalsh(normals.T @ normals / len(normals)).max() < 0.65


def test_the_same_seed_gives_the_same_packing_and_another_another(parts, packed):
    assert pack(parts, EDGE, seed=7) == pytest.approx(packed, abs=0)
    assert np.abs(pack(parts, EDGE, seed=8) - packed).max() > 1


def test_an_atom_alone():
    part = Part("Na", ["Na"], np.zeros((1, 3)), 1)
    assert pack([part], 20.0, seed=1).shape == (1, 3)


def test_a_chain_longer_than_the_box_is_refused():
    chain = Part("chain", 30 * ["C"], np.outer(np.arange(30), [1.2, 0, 0]), 1)
    check_length(chain, 37.0)
    with pytest.raises(PackingError, match="chain is 37 Å long and the box 30 Å: take shorter chains, or more atoms"):
        check_length(chain, 30.0)


@pytest.mark.parametrize(("name", "count", "edge"), [("TFSI", 2, 3.0), ("Na", 3, 2.0)])
def test_a_packing_that_cannot_be_says_what_helps(name, count, edge):
    crowd = Part(name, species(name).symbols, positions(name), count)
    with pytest.raises(
        PackingError, match=r"found no packing: .+: lower box\.packing_density_fraction in the settings"
    ):
        pack([crowd], edge, seed=1)


def test_a_packing_that_takes_too_long_says_what_helps(parts, monkeypatch):
    monkeypatch.setattr(packing, "TIME_LIMIT_S", 1)
    with pytest.raises(PackingError, match="did not finish in 1 s: pack at a lower density"):
        pack(parts, 10.0, seed=1)


def test_packmol_that_is_not_installed_is_said(parts, monkeypatch, tmp_path):
    monkeypatch.setattr(packing.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackingError, match="packmol is not installed: pip install packmol"):
        pack(parts, EDGE, seed=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory, shipped):
    """Write a composition of 45 DOL and 2 ion pairs, pack it, and return the folder, its record and its molecules."""
    folder = tmp_path_factory.mktemp("box")
    names = {"Na": 2, "TFSI": 2, "DOL": 45}
    forcefields = {name: force_field(folder, species(name))[0] for name in names}
    geometries = {}
    for name in names:
        one = species(name)
        rows = [f"{s} {x:.8f} {y:.8f} {z:.8f}" for s, (x, y, z) in zip(one.symbols, positions(name), strict=True)]
        geometries[name] = folder / f"{name}.xyz"
        geometries[name].write_text("\n".join([str(len(rows)), f"{name}: ok", *rows]) + "\n", encoding="utf-8")
    composition = {
        "box": "Y",
        "verdict": "ok",
        "packing_edge_angstrom": 21.5,
        "ion_charge_scale": 0.8,
        "molecules": [{"species": n, "count": c, "symbols": species(n).symbols} for n, c in names.items()],
    }
    write_json(folder / "composition.json", composition)
    shipped_settings = read_settings(shipped / "config" / "quick.yaml").model_dump()
    dynamics = shipped_settings["dynamics"] | {"seed": 100, "cutoff_angstrom": 10.0}
    settings = Settings(**shipped_settings | {"dynamics": dynamics})

    def write(verdict: str = "ok", edge: float = 21.5, replica: int = 3) -> dict:
        changed = composition | {"verdict": verdict, "packing_edge_angstrom": edge}
        write_json(folder / "composition.json", changed)
        inputs = folder / "composition.json", geometries, forcefields
        write_packing(*inputs, settings, replica, {"stage": "packing"}, folder / "replica")
        return read_json(folder / "replica" / "packing.json")

    return folder / "replica", write, composition["molecules"]


def test_files_of_a_replica_agree_with_each_other(built):
    import openmm
    from openmm import app, unit

    folder, write, molecules_wanted = built
    record = write()
    assert (record["verdict"], record["edge_angstrom"], record["seed"]) == ("ok", 21.5, 100 + 3)
    pdb = app.PDBFile(str(folder / "packed.pdb"))
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text(encoding="utf-8"))
    wanted = [s for m in molecules_wanted for _ in range(m["count"]) for s in m["symbols"]]
    assert [atom.element.symbol for atom in pdb.topology.atoms()] == wanted
    assert system.getNumParticles() == len(wanted)
    edges = [vector[i].value_in_unit(unit.angstrom) for i, vector in enumerate(system.getDefaultPeriodicBoxVectors())]
    assert edges == pytest.approx(3 * [21.5], abs=1e-6)
    mass = sum(system.getParticleMass(i).value_in_unit(unit.dalton) for i in range(len(wanted)))
    assert mass == pytest.approx(2 * 303.13 + 45 * 74.08, rel=1e-4)
    x = pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
    parts = [Part(m["species"], m["symbols"], np.zeros((1, 3)), m["count"]) for m in molecules_wanted]
    assert nearest_of_two_molecules(parts, x, 21.5) >= 2.0 - 2e-3


def test_the_packed_system_has_a_finite_energy_and_can_be_minimised(built):
    import openmm
    from openmm import app

    folder, write, _ = built
    write()
    system = openmm.XmlSerializer.deserialize((folder / "system.xml").read_text(encoding="utf-8"))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(app.PDBFile(str(folder / "packed.pdb")).positions)
    before = context.getState(getEnergy=True).getPotentialEnergy()._value
    openmm.LocalEnergyMinimizer.minimize(context, 100.0, 20)
    after = context.getState(getEnergy=True).getPotentialEnergy()._value
    assert np.isfinite([before, after]).all()
    assert after < before


def test_replicas_differ(built):
    folder, write, _ = built
    texts = set()
    for replica in (1, 2):
        write(replica=replica)
        texts.add((folder / "packed.pdb").read_text(encoding="utf-8"))
    assert len(texts) == 2


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"verdict": "not built: TFSI: not typable"}, "not built: TFSI: not typable"),
        ({"edge": 18.0}, "not built: a cutoff of 10 Å does not fit twice into a box of 18 Å"),
    ],
)
def test_a_box_that_cannot_be_built_is_a_verdict_with_empty_files(built, given, wanted):
    folder, write, _ = built
    assert write(**given)["verdict"] == wanted
    assert [(folder / name).read_text() for name in ("packed.pdb", "system.xml")] == ["", ""]


def test_the_reason_is_packmols_and_not_its_running_time():
    with pytest.raises(PackingError) as told:
        pack([Part("Na", ["Na"], np.zeros((1, 3)), 3)], 2.0, seed=1)
    assert "Running time" not in str(told.value)
