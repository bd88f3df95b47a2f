"""What pydantic finds wrong, told to a person: the file, the key, the nearest valid key or the allowed range."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from fewstain.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


_LIST = "must be a list"
_SECTION = "must be a section of lines `key: value`"
_SHAPES = {"tuple_type": _LIST, "list_type": _LIST, "dict_type": _SECTION, "model_type": _SECTION}
"""What pydantic says of Python's types, in words of YAML."""


def validate(model: type[Model], content: Any, source: str) -> Model:
    """Return `content` as a model.

    Parameters
    ----------
    model
        A pydantic model that forbids unknown keys.
    content
        What a YAML or JSON file held, or such dictionaries from elsewhere.
    source
        Named at the start of every message, usually the file.

    Raises
    ------
    UserError
        With one line for every fault there is.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{source}: {_tell(model, dict(fault) | {'loc': _as_written(content, fault['loc'])})}"
            for fault in error.errors(include_url=False)
        ]
        raise UserError("\n".join(dict.fromkeys(lines))) from error


def nearest(key: str, valid: Iterable[str]) -> str:
    """Return "did you mean ...?" if a valid key resembles `key`, or else the list of the valid ones."""
    names = [str(name) for name in valid]
    match = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"did you mean {match[0]!r}?" if match else f"valid are: {', '.join(names)}"


def _as_written(content: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Leave out of a path the place in a list where one section was written instead of a list of them."""
    kept: list[str | int] = []
    for part in path:
        if isinstance(part, int) and isinstance(content, Mapping) and part not in content:
            continue
        kept.append(part)
        inside = isinstance(content, Mapping) and part in content
        listed = isinstance(content, list | tuple) and isinstance(part, int)
        content = content[part] if inside or listed else None
    return tuple(kept)


def _tell(root: type[BaseModel], fault: dict[str, Any]) -> str:
    of_key = fault["loc"][-1:] == ("[key]",)
    path = (*fault["loc"][:-2], str(fault["input"])) if of_key else fault["loc"]
    key = ".".join(str(part) for part in path)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_nearest_key(_field(root, path[:-1])[0], str(path[-1]))}"
    message = _SHAPES.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    if message == _LIST and isinstance(fault["input"], int | float | str):
        message += f", as in [{fault['input']}]"
    if not path:
        return message
    misfit = fault["type"] == "value_error" and isinstance(fault["input"], Mapping) and bool(fault["input"])
    if of_key or misfit:  # what several keys are together is told by the message
        return f"{key}: {message}"
    allowed = _allowed(_field(root, path)[1])
    remedy = f"; allowed: {allowed}" if allowed else ""
    return f"{key}: {message[:1].lower()}{message[1:]}, not {fault['input']!r}{remedy}"


def _nearest_key(model: Any, key: str) -> str:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "it has no place here"
    inner = {field.alias or name: _unwrap(field.annotation) for name, field in model.model_fields.items()}
    for name, annotation in inner.items():
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and key in annotation.model_fields:
            return f"it belongs under {name!r}"
    return nearest(key, inner)


def _field(annotation: Any, path: tuple[str | int, ...]) -> tuple[Any, FieldInfo | None]:
    """Follow a path of keys into a model: the type found there, and the last field that was passed."""
    field = None
    for part in path:
        annotation = _unwrap(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and part in annotation.model_fields:
            field = annotation.model_fields[str(part)]
            annotation = field.annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
    return _unwrap(annotation), field


def _unwrap(annotation: Any) -> Any:
    """Strip `| None` and `Annotated` from a type, and the list from one of models."""
    if hasattr(annotation, "__metadata__"):
        return _unwrap(get_args(annotation)[0])
    if get_origin(annotation) is tuple and isinstance(get_args(annotation)[0], type):
        each = get_args(annotation)[0]
        return each if issubclass(each, BaseModel) else annotation
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [member for member in get_args(annotation) if member is not type(None)]
        return _unwrap(inner[0]) if len(inner) == 1 else annotation
    return annotation


def _allowed(field: FieldInfo | None) -> str:
    """Return a field's range in words, "" if it has none; of a list of numbers, the range of each."""
    if field is None:
        return ""
    each = [member for member in get_args(_unwrap(field.annotation)) if hasattr(member, "__metadata__")]
    metadata = list(field.metadata)
    for member in each[:1]:
        for item in member.__metadata__:
            metadata += item.metadata if isinstance(item, FieldInfo) else [item]
    words = []
    for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        words += [f"{sign} {getattr(item, attribute)}" for item in metadata if hasattr(item, attribute)]
    words += [f"multiples of {item.multiple_of}" for item in metadata if hasattr(item, "multiple_of")]
    return ("each " if each and words else "") + " and ".join(words)
