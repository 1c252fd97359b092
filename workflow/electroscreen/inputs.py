"""Reading of the YAML files that users write, with errors that a chemist can act on."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

NAME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class InputError(ValueError):
    """Something the user wrote is wrong; the message is one line: file, field, fault, remedy."""

    def __init__(self, message: str):
        line = " ".join(message.splitlines())
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} ...")


class Model(BaseModel):
    """Base of everything read from YAML: immutable, and no key goes unnoticed."""

    # Strict: a text or a truth value is no number, so a slip of the pen is told instead of guessed at.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True, allow_inf_nan=False)


ModelType = TypeVar("ModelType", bound=Model)

LONGEST_MESSAGE = 800
LISTED_AT_MOST = 60

# What a person types into a file of molecules is far below this.
LARGEST_FILE_BYTES = 5_000_000

# Signs that nobody sees: they end in names, tables and pages, and some turn the text around them the other way.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)

_FLOAT = r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"


class _Strict:
    """Refuses a key written twice and reads plain words as YAML 1.2 does.

    PyYAML follows YAML 1.1, where `yes` is true, `1:30` is 90, `010` is 8 and `1e-5` is a text.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool)):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _refuse(node: yaml.Node, why: str) -> None:
    raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)


def _whole_number(loader: _Strict, node: yaml.Node) -> int:
    text = loader.construct_scalar(node)
    if re.fullmatch(r"[-+]?0[0-9]+", text):
        _refuse(node, f"'{text}' begins with a zero, which some programs take for octal: write it without")
    return int(text)


def _nothing(loader: _Strict, node: yaml.Node) -> None:
    if loader.construct_scalar(node) == "":
        _refuse(node, "a value is missing here: write one, or remove the line ('null' says that none is meant)")


def _text(loader: _Strict, node: yaml.Node) -> str:
    text = loader.construct_scalar(node)
    if found := _UNSEEN.search(text):
        _refuse(node, f"a text holds the invisible sign {found[0]!a}")
    return text


class _Loader(_Strict, yaml.SafeLoader):
    """The loader in Python, for text of any shape."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


class _FastLoader(_Strict, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """The loader in C where PyYAML was built with it: eight times as fast, but deep nesting overruns its stack."""

    yaml_implicit_resolvers: ClassVar[dict] = {}


_DEEPEST = 5000

for _loader in (_Loader, _FastLoader):
    _loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
    )
    _loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), [*"-+0123456789"])
    _loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), [*"-+.0123456789"])
    _loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
    _loader.add_constructor("tag:yaml.org,2002:null", _nothing)
    _loader.add_constructor("tag:yaml.org,2002:str", _text)


def _loader_for(text: str) -> type:
    # A block is nested by at least a column, a flow by a bracket: this is as deep as the text can go.
    depth = text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0)
    return _FastLoader if depth < _DEEPEST else _Loader


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises
    ------
    InputError
        If the file is missing, is not text, is not YAML, or holds anything but one mapping.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(f"{path}: is larger than {LARGEST_FILE_BYTES // 10**6} MB: what people write never is")
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=_loader_for(text))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_similar_file(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: {_yaml_fault(error)}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: must hold fields like 'name: value', found {_kind(data)}")
    return data


def read_named(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file that describes the thing after which the file is named.

    Raises
    ------
    InputError
        If the file's name cannot be a name, or differs from the `name` inside.
    """
    check_name(path.stem, path)
    data = read_yaml(path)
    if isinstance(data.get("name"), str) and data["name"] != path.stem:
        raise InputError(f"{path}: name: is '{data['name']}', but the file is '{path.stem}': the two must agree")
    return data


def read_model(path: Path, model: type[ModelType]) -> ModelType:
    """Return the content of a YAML file checked against `model`.

    Raises
    ------
    InputError
        Naming the file and the first wrong field.
    """
    return parse_model(read_yaml(path), model, path)


def parse_model(data: dict[str, Any], model: type[ModelType], path: Path) -> ModelType:
    """Check a mapping that was read from `path` against `model`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error, model)}") from None


def check_name(name: str, path: Path) -> None:
    """Refuse names that cannot be folder names and wildcards alike."""
    if not NAME_PATTERN.fullmatch(name):
        raise InputError(
            f"{path}: file name: '{name}' must start with a letter and hold only letters, digits, '_' and '-'"
        )


def did_you_mean(word: str, known: list[str]) -> str:
    """Return ", did you mean 'x'?" for the nearest known word, or the list of what is known."""
    near = difflib.get_close_matches(word.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    if near:
        return next(f", did you mean '{k}'?" for k in known if k.lower() == near[0])
    listed = sorted(known)[:LISTED_AT_MOST]
    more = f" and {len(known) - len(listed)} more" if len(known) > len(listed) else ""
    return f"; known are {', '.join(listed)}{more}" if known else ""


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    fault = error.errors()[0]
    location = [str(part) for part in fault["loc"]]
    field = ".".join(location) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{field}: unknown key{did_you_mean(location[-1], _fields_at(model, location[:-1]))}"
    if fault["type"] == "missing":
        return f"{field}: is missing"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = fault.get("input")
    value = f" (found {shown!r})" if isinstance(shown, (str, int, float, bool)) and len(str(shown)) < 60 else ""
    return f"{field}: {message}{value}".replace("\n", " ")


def _fields_at(model: Any, location: list[str]) -> list[str]:
    """Names of the fields of the model that stands at `location` inside `model`."""
    for part in location:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else model
        model = _first_model(annotation) or model
    return list(getattr(model, "model_fields", {}))


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _first_model(arg))), None)


def _yaml_fault(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{where}not valid YAML: {problem}"


def _kind(data: Any) -> str:
    return {type(None): "nothing", list: "a list", str: "a single text"}.get(type(data), type(data).__name__)


def _similar_file(path: Path) -> str:
    stems = [p.stem for p in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
    return did_you_mean(path.stem, stems)
