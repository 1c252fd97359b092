"""A thousand slips of the pen in every kind of input file: refused in one line, or read exactly as they are written.

What was read is compared with an independent reading of the file: the bare nodes of YAML, before any of them is taken
for a number or a word. So nothing can be dropped, doubled, coerced or guessed at in silence.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from slip_helpers import NUMBER, mutated

from electroscreen.complexes import read_complex
from electroscreen.inputs import InputError
from electroscreen.papers import read_paper
from electroscreen.preflight.run import look_ahead
from electroscreen.project import BOX_STAGES, SPECIES_STAGES, Project
from electroscreen.recipe import as_text
from electroscreen.recipes import read_box
from electroscreen.settings import read_settings
from electroscreen.species import read_species

KEPT = ("LiF", "Na", "TFSI", "NaTFSI", "DOL", "FEC", "PDOL20")

SPARE = {
    "molecules/species/MeOH.yaml": """
name: MeOH
title: methanol
role: solvent
charge: 0
multiplicity: 1
smiles: CO
density_g_per_ml: 0.79
solvent: 32.6
screen: true
forcefield:
  source: a guess for a test
  charges_e: {O2: -0.6}
  lj: {O2: {sigma_angstrom: 3.1, epsilon_kj_per_mol: 0.7}}
  bonds: {C1-O2: {length_angstrom: 1.42, k_kj_per_mol_angstrom2: 2600.0}}
  angles: {C1-O2-H6: {angle_degree: 108.5, k_kj_per_mol_rad2: 390.0}}
  torsions: {H3-C1-O2-H6: {periodicity: [3], phase_degree: [0.0], k_kj_per_mol: [0.7]}}
sources: [nobody]
notes: for tests
""",
    "molecules/species/HF.yaml": """
name: HF
title: hydrogen fluoride
role: additive
xyz: |
  H 0.0 0.0 0.0
  F 0.0 0.0 0.92
search: true
screen: false
""",
    "molecules/complexes/Na_DOL.yaml": """
name: Na_DOL
title: sodium on dioxolane
parts: {Na: 1, DOL: 1}
multiplicity: 1
dispersion: d3bj
solvent: 7.1
sources: [nobody]
""",
    "molecules/complexes/Na_DOL2.yaml": """
name: Na_DOL2
title: sodium between two
parts: {Na: 1, DOL: 2}
compared_with:
  - {Na_DOL: 1, DOL: 1}
""",
    "molecules/boxes/mixed.yaml": """
name: mixed
title: everything a box can say
temperature_k: 313.15
pressure_bar: 1.0
recipe:
  DOL: {vol_percent: 90}
  FEC: {vol_percent: 10}
  NaTFSI: {mol_per_l: 1.0}
conversion:
  DOL: {into: PDOL20, units: 20, percent: 50}
density_g_per_ml: 1.2
analysis:
  sites: {carbonyl: "O=C"}
  coordination:
    - center: Na
      partners: [O(DOL), O(carbonyl of FEC)]
      radius_angstrom: 3.5
  diffusion: [Na, TFSI]
  viscosity: {mpa_s: 2.5, source: a guess}
  displacement_ps: 100.0
series: warm
sources: [nobody]
notes: none
""",
    "molecules/papers/paper.yaml": """
name: paper
title: what a paper can say
citation: nobody, nowhere
doi: 10.1000/none
level_of_theory: B3LYP/6-31G(d,p)
values:
  - table: "1"
    quantity: LUMO
    subject: LiF
    value: -1.34
    unit: eV
    where: table 1
    kind: computed
    tolerance: 0.01
    result:
      orbital: {species: LiF, key: lumo_ev}
  - table: "2"
    quantity: coordination number
    subject: Na-O
    value: 4.5
    unit: "1"
    where: figure 2
    conditions: 313 K
    kind: experiment
    result:
      coordination: {box: mixed, center: Na, partner: O(DOL), key: coordination_number}
  - table: "3"
    quantity: binding
    subject: Na + DOL
    value: -1.5
    unit: eV
    where: text
    kind: computed
    not_comparable: another functional
    result:
      binding: {complex: Na_DOL2, compared_with: {Na_DOL: 1, DOL: 1}, key: binding_ev}
  - table: "3"
    quantity: conductivity
    subject: all
    value: 3.0
    unit: mS/cm
    where: text
    kind: experiment
    result:
      transport: {box: mixed, key: "conductivity, Einstein", subject: formal charges}
orders:
  - table: "1"
    quantity: LUMO
    subjects: [[LiF], [DOL, FEC]]
    key: lumo_ev
    where: text
givens:
  - quantity: purity
    subject: DOL
    value: 99.9
    unit: "%"
    where: methods
""",
}
READERS = {
    "species": read_species,
    "complexes": read_complex,
    "boxes": read_box,
    "papers": read_paper,
    "config": lambda path: read_settings.__wrapped__(path),
}


@pytest.fixture(scope="module")
def small(shipped, tmp_path_factory) -> Path:
    """A small project in which every key of every model stands somewhere."""
    folder = tmp_path_factory.mktemp("around") / "project"
    for name in KEPT:
        (folder / "molecules/species").mkdir(parents=True, exist_ok=True)
        shutil.copy(shipped / "molecules/species" / f"{name}.yaml", folder / "molecules/species")
    (folder / "config").mkdir()
    for path, text in SPARE.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    text = (shipped / "config/quick.yaml").read_text(encoding="utf-8")
    text = text.replace("boxes: [natfsi_dol_fec]", "boxes: [mixed]").replace("atoms: 1500", "atoms: 6000")
    text = text.replace("seed: 20260101", "seed: 20260101\n  platform: CPU\n  anneal: none\n  checkpoint_minutes: 15.0")
    (folder / "config/quick.yaml").write_text(text, encoding="utf-8")
    return folder


def looked_at(folder: Path) -> None:
    """All that is read before the first job: the check, and every job's recipe."""
    read_settings.cache_clear()
    project = Project(folder, "quick")
    project.check()
    for name in project.screened_species:
        for stage in SPECIES_STAGES:
            as_text(project.recipe(stage, name))
    for name in project.asked_boxes:
        for stage in BOX_STAGES:
            as_text(project.recipe(stage, name))
    project.series(), [project.centers(name) for name in project.asked_boxes]


def kind_of(path: Path) -> str:
    return path.parent.name


def differences(node: yaml.Node, value: object, where: str = "") -> list[str]:
    """Where what was read is not what stands in the file."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        if not isinstance(value, dict) or len(set(keys)) < len(keys) or set(keys) != set(value):
            return [f"{where}: {keys} became {value!r}"]
        return [
            fault for key, inner in node.value for fault in differences(inner, value[key.value], f"{where}.{key.value}")
        ]
    if isinstance(node, yaml.SequenceNode):
        if not isinstance(value, (list, tuple)) or len(value) != len(node.value):
            return [f"{where}: a list became {value!r}"]
        return [fault for i, inner in enumerate(node.value) for fault in differences(inner, value[i], f"{where}.{i}")]
    return [] if same_scalar(node, value) else [f"{where}: {node.value!r} became {value!r}"]


def same_scalar(node: yaml.ScalarNode, value: object) -> bool:
    text, plain = node.value, node.style is None
    tagged = node.tag != "tag:yaml.org,2002:str"  # by hand: this loader resolves nothing by itself
    if isinstance(value, bool):
        return plain and text.lower() == str(value).lower()
    if value is None:
        return plain and text in ("~", "null", "Null", "NULL")
    if isinstance(value, (int, float)):
        octal = re.fullmatch(r"[-+]?0[0-9]+", text)
        return (plain or tagged) and bool(NUMBER.fullmatch(text)) and not octal and float(text) == float(value)
    unquoted_number = plain and not tagged and (NUMBER.fullmatch(text) or text in ("true", "false", "null", "~", ""))
    return isinstance(value, str) and not unquoted_number and value.strip() == text.strip()


def read_as_written(path: Path, text: str) -> list[str]:
    """Compare what the package reads from a file with its bare nodes."""
    model = READERS[kind_of(path)](path)
    node = yaml.compose(text, Loader=yaml.BaseLoader)
    dump = model.model_dump(exclude_unset=True)
    if dump.get("polymer") and not any(key.value == "smiles" for key, _ in node.value):
        dump.pop("smiles")  # which follows from the chain
    return differences(node, dump)


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


CASES = {"species": 280, "complexes": 150, "boxes": 250, "papers": 180, "config": 180}


@pytest.mark.parametrize("kind", CASES)
def test_every_slip_is_refused_in_one_line_or_read_as_it_is_written(small, monkeypatch, kind, record_property):
    monkeypatch.chdir(small)
    before = everything(small.parent)
    dice, counts, faults = random.Random(f"slips in {kind}"), Counter(), []
    folder = small / (kind if kind == "config" else f"molecules/{kind}")
    files = sorted(folder.glob("*.yaml"))
    sound_models = {path: READERS[kind](path) for path in files}
    for number in range(CASES[kind]):
        path = dice.choice(files)
        sound = path.read_text(encoding="utf-8")
        name, must_refuse, spoilt = mutated(sound, dice)
        path.write_bytes(spoilt)
        try:
            looked_at(small)
            text = spoilt.decode("utf-8-sig")
            wrong = read_as_written(path, text)
            same = READERS[kind](path) == sound_models[path]
            if wrong or (must_refuse and not same):
                faults.append((number, path.name, name, wrong or "was accepted", text))
            counts["accepted, same meaning" if same else "accepted as written"] += 1
            if not same and counts["accepted as written"] % 4 == 1:
                look_ahead(Project(small, "quick"))
        except InputError as refusal:
            counts["refused"] += 1
            message = str(refusal)
            if "\n" in message or len(message) > 900 or not re.search(r"\.yaml|box |settings", message):
                faults.append((number, path.name, name, message, ""))
        except Exception as error:  # whatever it is, it is a defect, and the next ones are worth knowing too
            faults.append((number, path.name, name, f"{type(error).__name__}: {error}", spoilt[-300:]))
        finally:
            path.write_text(sound, encoding="utf-8")
    record_property("counts", dict(counts))
    print(f"{kind}: {CASES[kind]} cases, " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    assert not faults, f"{len(faults)} of {CASES[kind]}: " + "\n".join(str(fault)[:900] for fault in faults[:12])
    assert everything(small.parent) == before
    assert counts["refused"] > 0.4 * CASES[kind]


def test_the_oracle_sees_what_a_lax_reader_does():
    """The comparison itself must not be blind: what YAML 1.1 makes of these is not what stands there."""
    for text, lax in {
        "a: 010": {"a": 8},
        "a: yes": {"a": True},
        "a: '5'": {"a": 5},
        "a: 1\na: 2": {"a": 2},
        "a: 1:30": {"a": 90},
        "a: 5": {"a": "5"},
        "a: 1\nb: 2": {"a": 1},
        "a: [1, 2]": {"a": [1]},
        "a: ": {"a": None},
        "a: 2": {"a": True},
    }.items():
        assert differences(yaml.compose(text, Loader=yaml.BaseLoader), lax), text
    for text, right in {
        "a: 10": {"a": 10},
        "a: yes": {"a": "yes"},
        "a: null": {"a": None},
        "a: 1e2": {"a": 100.0},
    }.items():
        assert not differences(yaml.compose(text, Loader=yaml.BaseLoader), right), text
    assert sum(CASES.values()) >= 1000
