"""Values whose fields' types and bounds hold however they were made: read from disk, typed by a user, or by code."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from pruning.errors import ConfigError

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Text = Annotated[str, Meta(max_length=2000)]
Typed = Annotated[str, Meta(max_length=10_000)]  # a command
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0, le=2**53)]  # what every reader of JSON can hold
Positive = Annotated[int, Meta(ge=1, le=2**53)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]  # NumPy's global generator, which the Trainer seeds, takes no more
Share = Annotated[float, Meta(ge=0, le=1)]
Density = Annotated[float, Meta(gt=0, le=1)]
Rate = Annotated[float, Meta(gt=0, le=1)]
Weight = Annotated[float, Meta(ge=0, le=1e6)]
NonNegative = Annotated[float, Meta(ge=0, le=1e12)]
AboveZero = Annotated[float, Meta(gt=0, le=1e12)]

R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An immutable value whose fields are checked when it is made, not only when it is read.

    Raises:
        ConfigError: a field of another type than declared, or out of bounds: one line with its name.
    """

    label: ClassVar[str] = ""  # what messages put before a field's name: "selection." in "selection.round_to"

    def __post_init__(self) -> None:
        for name, kind in _fields(type(self)):
            value = getattr(self, name)
            plain = value.item() if hasattr(value, "item") else value  # NumPy's scalars
            try:
                converted = msgspec.convert(plain, kind)
            except msgspec.ValidationError as error:
                raise ConfigError(f"{self.label}{name} {shown(value)}: {expectation(error, kind)}") from None
            if converted is not value:
                msgspec.structs.force_setattr(self, name, converted)

    def replace(self: R, **changes: Any) -> R:
        """A copy with other values, checked like any other."""
        return msgspec.structs.replace(self, **changes)


@cache
def _fields(kind: type[Record]) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.type) for field in msgspec.structs.fields(kind))


def shown(value: Any) -> str:
    """A value for a message: one line, short."""
    if isinstance(value, (tuple, list)):
        value = ",".join(map(str, value))
    text = " ".join(ascii(value).split())
    return text if len(text) <= 40 else text[:37] + "..."


def expectation(error: msgspec.ValidationError, kind: Any = None) -> str:
    """What msgspec expected of a value of this type, in this project's words: "expected int >= 1"."""
    text = str(error).partition(" - at ")[0].split(", got")[0].replace("`", "").replace("array", "list")
    choices = _choices(kind)
    if "enum value" in text and choices:
        is_one = isinstance(kind, type) or get_origin(kind) is Literal
        return f"expected {'one' if is_one else 'some'} of {', '.join(choices)}"
    if "out of range" in text:
        return "expected a number nearer to 0"
    return text[:1].lower() + text[1:]


def _choices(kind: Any) -> list[str]:
    """The words that an enumeration or literal takes, or a container of them."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [choice for inner in get_args(kind) for choice in _choices(inner)]


def to_plain(record: Any) -> Any:
    """A record as plain JSON values."""
    return msgspec.to_builtins(record)
