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

NASTY = [
    "$(touch OWNED)",
    "`touch OWNED`",
    "; touch OWNED #",
    "a && touch OWNED",
    "| tee OWNED",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "{wildcards.species}",
    "%(x)s",
    "../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\x",
    "C:\\x",
    "~/x",
    "a\nb",
    "a\tb",
    "é😀",
    "a" * 3000,
    "$\\frac{",
    "\\input{/etc/passwd}",
    "=1+1",
    "-n",
    "--help",
    "None",
    "nan",
    "0x10",
    "1_000",
    "12:30",
    "2026-01-01",
]
# As they stand in the file, without quotes: words that some YAML takes for something else.
WORDS = ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "~", "null", "true", "False", ".nan", ".inf", "-.inf"]
NUMBERS = [
    "1e400",
    "-1e400",
    "1e300",
    "-1e300",
    "0",
    "-1",
    "1e-300",
    "999999999999999999999",
    "0.1",
    "7",
    "-0.0",
    "3e2",
]
SPECIAL = [".nan", ".NaN", ".inf", "-.inf", "1e400", "-1e999"]
UNITS = {
    "_k": "_c",
    "_g_per_ml": "_kg_per_m3",
    "_angstrom": "_nm",
    "_ps": "_ns",
    "_ev": "_kcal",
    "_bar": "_pa",
    "_fs": "_ps",
    "_amu": "_g",
    "_percent": "_fraction",
    "_e": "_c",
    "_degree": "_rad",
    "_kj_per_mol": "_kcal_per_mol",
}
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


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


def nodes_of(node: yaml.Node, kind: type) -> list:
    """All nodes of a kind in a tree, keys left out."""
    found = [node] if isinstance(node, kind) else []
    if isinstance(node, yaml.MappingNode):
        return found + [inner for _, below in node.value for inner in nodes_of(below, kind)]
    if isinstance(node, yaml.SequenceNode):
        return found + [inner for below in node.value for inner in nodes_of(below, kind)]
    return found


def scalar(text: str, style: str | None = None) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


def is_number(node: yaml.ScalarNode) -> bool:
    return node.style is None and bool(NUMBER.fullmatch(node.value))


class Slip:
    """One mutation of a file; `must_refuse` where no reading of it could be what was meant."""

    def __init__(self, name: str, must_refuse: bool, change):
        self.name, self.must_refuse, self.change = name, must_refuse, change


def some_mapping(root, dice):
    return dice.choice([node for node in nodes_of(root, yaml.MappingNode) if node.value])


def some_number(root, dice):
    return dice.choice([node for node in nodes_of(root, yaml.ScalarNode) if is_number(node)] or [None])


def some_text(root, dice):
    other = ("true", "false")
    return dice.choice([n for n in nodes_of(root, yaml.ScalarNode) if not is_number(n) and n.value not in other])


def key_twice(root, dice):
    mapping = some_mapping(root, dice)
    key, value = dice.choice(mapping.value)
    # The same node once more is written as an anchor and its alias.
    again = dice.choice([(key, value), (scalar(key.value), value), (scalar(key.value), scalar("7"))])
    mapping.value.insert(dice.randrange(len(mapping.value) + 1), again)


def key_misspelt(root, dice):
    mapping = some_mapping(root, dice)
    at = dice.randrange(len(mapping.value))
    key, value = mapping.value[at]
    i = dice.randrange(len(key.value))
    spelt = dice.choice(
        [key.value[:i] + key.value[i + 1 :], key.value[:i] + "q" + key.value[i:], key.value.upper() + "_"]
    )
    mapping.value[at] = (scalar(spelt or "q"), value)


def key_of_another_unit(root, dice):
    found = [
        (mapping, at, key.value.removesuffix(ours) + theirs)
        for mapping in nodes_of(root, yaml.MappingNode)
        for at, (key, _) in enumerate(mapping.value)
        for ours, theirs in UNITS.items()
        if key.value.endswith(ours)
    ]
    if not found:
        return False
    mapping, at, other = dice.choice(found)
    mapping.value[at] = (scalar(other), mapping.value[at][1])


def key_unknown(root, dice):
    mapping = some_mapping(root, dice)
    words = ["colour", "<<", "__class__", "model_config", "copy", "1", "../x", "$(x)", "<b>", "no", "name "]
    mapping.value.append((scalar(dice.choice(words), dice.choice([None, '"'])), scalar("qq")))


def key_removed(root, dice):
    mapping = some_mapping(root, dice)
    del mapping.value[dice.randrange(len(mapping.value))]


def number_as_text(root, dice):
    if (node := some_number(root, dice)) is None:
        return False
    node.style = '"'


def number_as_octal(root, dice):
    whole = [n for n in nodes_of(root, yaml.ScalarNode) if is_number(n) and re.fullmatch(r"-?[0-9]+", n.value)]
    if not whole:
        return False
    node = dice.choice(whole)
    node.value = re.sub(r"(?=[0-9])", "0", node.value, count=1)


def number_as_word(root, dice):
    if (node := some_number(root, dice)) is None:
        return False
    node.value = dice.choice(
        ["yes", "no", "true", "false", "on", "off", "True", "ten", "1 K", "1,5", "1_0", "0x1F", "1:30"]
    )


def number_not_finite(root, dice):
    if (node := some_number(root, dice)) is None:
        return False
    node.value = dice.choice(SPECIAL)


def number_of_any_size(root, dice):
    if (node := some_number(root, dice)) is None:
        return False
    node.value = dice.choice(NUMBERS)


def value_of_another_shape(root, dice):
    mapping = some_mapping(root, dice)
    at = dice.randrange(len(mapping.value))
    key, value = mapping.value[at]
    if isinstance(value, yaml.ScalarNode):
        other = dice.choice(["list", "mapping"])
        inner = [(scalar("qq"), value)] if other == "mapping" else [value]
        kind = yaml.MappingNode if other == "mapping" else yaml.SequenceNode
        mapping.value[at] = (key, kind(f"tag:yaml.org,2002:{'map' if other == 'mapping' else 'seq'}", inner))
    else:
        mapping.value[at] = (key, scalar("qq"))


def value_missing(root, dice):
    mapping = some_mapping(root, dice)
    at = dice.randrange(len(mapping.value))
    mapping.value[at] = (mapping.value[at][0], scalar(""))


def text_as_number(root, dice):
    node = some_text(root, dice)
    node.value, node.style = dice.choice(["5", "1.5", "true", "-3", "1e3"]), None


def text_as_word(root, dice):
    node = some_text(root, dice)
    node.value, node.style = dice.choice(WORDS), None


def text_nasty(root, dice):
    node = some_text(root, dice)
    node.value, node.style = dice.choice(NASTY), '"'


def text_unseen(root, dice):
    node = some_text(root, dice)
    sign = dice.choice(["\x00", "\x07", "\x1b[31m", "\u202e", "\u200b", "\ud800", "\ufeff", "\x85", "\r"])
    node.value, node.style = f"{node.value[:3]}{sign}{node.value[3:]}", '"'


def item_twice_or_gone(root, dice):
    lists = [node for node in nodes_of(root, yaml.SequenceNode) if node.value]
    if not lists:
        return False
    items = dice.choice(lists).value
    at = dice.randrange(len(items))
    items.insert(at, items[at]) if dice.random() < 0.5 else items.pop(at)


SLIPS = [
    Slip("key twice", True, key_twice),
    Slip("key misspelt", True, key_misspelt),
    Slip("key of another unit", True, key_of_another_unit),
    Slip("unknown key", True, key_unknown),
    Slip("key removed", False, key_removed),
    Slip("number in quotes", True, number_as_text),
    Slip("number with a leading zero", True, number_as_octal),
    Slip("word for a number", True, number_as_word),
    Slip("number that is not finite", True, number_not_finite),
    Slip("number of any size", False, number_of_any_size),
    Slip("another shape", True, value_of_another_shape),
    Slip("nothing after the key", True, value_missing),
    Slip("number for a text", True, text_as_number),
    Slip("word for a text", False, text_as_word),
    Slip("nasty text", False, text_nasty),
    Slip("sign that nobody sees", True, text_unseen),
    Slip("item twice or gone", False, item_twice_or_gone),
]

# Added to a file as it stands.
LINES = [
    "bomb: &b [*b]",
    "!!python/object/apply:os.system ['touch OWNED']: 1",
    "x: !!python/object/apply:os.system ['touch OWNED']",
    "x: !!python/name:os.system ''",
    "? [a]\n: 1",
    "---\nname: x",
    "...\n%YAML 9.9\n---\na: 1",
    "\tx: 1",
    "x: [",
    "x: *nowhere",
    "x: 'open",
    "[" * 6000,
    "x: " + "{a: " * 3000,
    "<<: {charge: 5}",
]


def spoilt_bytes(text: str, dice: random.Random) -> bytes:
    """A file that is no longer text, or no longer whole."""
    kind = dice.randrange(7)
    raw = text.encode()
    at = dice.randrange(len(raw))
    if kind == 0:
        return raw[:at]
    if kind == 1:
        return raw[:at] + bytes([dice.choice([0xFF, 0xFE, 0xC3, 0x80, 0x00, 0x07])]) + raw[at:]
    if kind == 2:
        return dice.choice(
            [b"", b"\n", b"# nothing\n", b"---\n", b"null\n", b"[]\n", b"\x89PNG\r\n\x1a\n", b"\xff\xfea\x00"]
        )
    if kind == 3:
        return text.encode("utf-16" if dice.random() < 0.5 else "utf-32")
    if kind == 4:
        lines = text.splitlines(keepends=True)
        line = dice.randrange(len(lines))
        lines[line] = " " * dice.randint(1, 5) + lines[line]
        return "".join(lines).encode()
    if kind == 5:
        return (text + "\n" + dice.choice(LINES) + "\n").encode()
    return raw[:at] + raw[at + dice.randint(1, 20) :]


class Plain(yaml.SafeDumper):
    """Writes a node's text as it is: where it has no style, without quotes, whatever it may be taken for."""

    def choose_scalar_style(self):
        if (
            self.event.style is None
            and "\n" not in self.event.value
            and self.event.value.strip(" \n") == self.event.value
        ):
            return ""
        return super().choose_scalar_style()

    def process_tag(self):
        if not isinstance(self.event, yaml.ScalarEvent):
            return super().process_tag()
        if self.analysis is None:
            self.analysis = self.analyze_scalar(self.event.value)
        if self.style is None:
            self.style = self.choose_scalar_style()


def mutated(text: str, dice: random.Random) -> tuple[str, bool, bytes]:
    """Return the name of a slip, whether it must be refused, and the file with it."""
    if dice.random() < 0.2:
        return "bytes and lines", False, spoilt_bytes(text, dice)
    while True:
        slip, root = dice.choice(SLIPS), yaml.compose(text, Loader=yaml.BaseLoader)
        if slip.change(root, dice) is not False:
            spoilt = yaml.serialize(root, Dumper=Plain, allow_unicode=True, width=10**6)
            return slip.name, slip.must_refuse, spoilt.encode("utf-8", errors="surrogatepass")


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
