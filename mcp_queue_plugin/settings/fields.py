"""What the settings are made of: their base class, their number types, and how each is documented."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from mcp_queue_plugin.allowed import COUNT, LARGEST, POSITIVE_SECONDS, PRIORITY, REPEATS, SECONDS
from mcp_queue_plugin.words import shown

MOST_PROCESSES = 10_000

RULE_BROKEN = "rule_broken"
"""The type of validation errors whose message is ours: it says in words what is allowed."""

Seconds = Annotated[float, Field(**SECONDS)]
PositiveSeconds = Annotated[float, Field(**POSITIVE_SECONDS)]
WholeSeconds = Annotated[int, Field(**SECONDS)]
Count = Annotated[int, Field(**COUNT)]
Repeats = Annotated[int, Field(**REPEATS)]
Priority = Annotated[int, Field(**PRIORITY)]
Processes = Annotated[int, Field(ge=1, le=MOST_PROCESSES)]
Bytes = Annotated[int, Field(ge=1024, le=1_000_000_000_000)]
ResultBytes = Annotated[int, Field(ge=1024, le=268_435_456)]
Megabytes = Annotated[int, Field(ge=1, le=LARGEST)]
Name = Annotated[str, Field(min_length=1)]
QueueName = Annotated[
    str,
    # Lower-case, so that a variable can tell it in capitals. No two `_` in a row, which part the keys of a variable; no
    # dot, which parts those of a path.
    Field(
        pattern=r"^[a-z0-9]+([_-][a-z0-9]+)*$",
        max_length=100,
        json_schema_extra={
            "x-words": "queue name (up to 100 lower-case letters and digits, in parts joined by one _ or -)"
        },
    ),
]
_MODULE = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
ModuleName = Annotated[
    str,
    Field(pattern=rf"^{_MODULE}$", json_schema_extra={"x-words": "dotted module name"}),
]
ModuleOrAny = Annotated[
    str,
    Field(pattern=rf"^(\*|{_MODULE})$", json_schema_extra={"x-words": "dotted module name (or *)"}),
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


def broken_rule(message: str) -> PydanticCustomError:
    """What the validator of a setting raises when its value does not go with others; ``message`` says what would."""
    return PydanticCustomError(RULE_BROKEN, "{message}", {"message": message})


def not_below(other: str) -> AfterValidator:
    """Hold a number to be at least the setting ``other`` of its section, which is declared before it."""

    def check(value: float, info: ValidationInfo) -> float:
        least = info.data.get(other, value)
        if value < least:
            raise broken_rule(f"must be at least {other} ({shown(least)}), not {shown(value)}")
        return value

    return AfterValidator(check)
