"""Slips of the pen in YAML files: what a tired hand, an editor or a clumsy script makes of a sound file."""

from __future__ import annotations

import random
import re

import yaml

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
