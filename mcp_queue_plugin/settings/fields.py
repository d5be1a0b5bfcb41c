"""What the settings are made of: their base class, their number types, and how each is documented."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

LARGEST = 1_000_000_000
"""The upper bound of open numbers: as seconds about 31 years, which every timer and every store can still hold."""

MOST_PROCESSES = 10_000

RULE_BROKEN = "rule_broken"
"""The type of validation errors whose message is ours: it says in words what is allowed."""

Seconds = Annotated[float, Field(ge=0, le=LARGEST)]
PositiveSeconds = Annotated[float, Field(gt=0, le=LARGEST)]
WholeSeconds = Annotated[int, Field(ge=0, le=LARGEST)]
Count = Annotated[int, Field(ge=1, le=LARGEST)]
Repeats = Annotated[int, Field(ge=0, le=LARGEST)]
Priority = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Bytes = Annotated[int, Field(ge=1024, le=1_000_000_000_000)]
Megabytes = Annotated[int, Field(ge=1, le=LARGEST)]
Name = Annotated[str, Field(min_length=1)]
QueueName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9]([a-z0-9_.-]{0,98}[a-z0-9])?$", json_schema_extra={"x-words": "lower-case queue name"}),
]
ModuleName = Annotated[
    str,
    Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", json_schema_extra={"x-words": "dotted module name"}),
]


class Section(BaseModel):
    """A group of settings: immutable, and as strict as JSON is, so that no mistake is taken for a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    def as_json(self) -> dict[str, Any]:
        """The settings in force as JSON values, defaults included."""
        return self.model_dump(mode="json")


def setting(default: Any, meaning: str, *, unit: str | None = None, special: str | None = None) -> Any:
    """Declare a setting; this is the only place where it is documented.

    Args:
        default: The value that holds when nobody sets another.
        meaning: What the setting does, and why its default is what it is.
        unit: What a number counts.
        special: Values that mean something of their own, as ``"`0`: for ever"``.

    """
    notes = {"x-unit": unit, "x-special": special}
    return Field(
        default,
        description=meaning,
        json_schema_extra={key: text for key, text in notes.items() if text is not None},
    )
