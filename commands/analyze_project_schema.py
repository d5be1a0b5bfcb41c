"""The JSON Schemas of the command ``analyze_project``: its parameters and its answer."""

from __future__ import annotations

from typing import Any

from commands.source_tree import DEFAULT_EXCLUDE, DEFAULT_MAX_FILE_BYTES, SkipReason


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A closed object that holds all of ``properties``."""
    closed = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {**closed, **more}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_FUNCTION = _object({"name": _TEXT, "line": _COUNT})
_CLASS = _object({"name": _TEXT, "line": _COUNT, "methods": _array(_FUNCTION)})
_MODULE = _object(
    {
        "name": {"type": "string", "description": "The dotted name, from the outermost package on"},
        "path": {"type": "string", "description": "The file, relative to root_dir"},
        "bytes": _COUNT,
        "lines": _COUNT,
        "imports": _array({"type": "string", "description": "An imported module; relative imports are resolved"}),
        "classes": _array(_CLASS),
        "functions": _array(_FUNCTION),
    }
)
_SKIPPED = _object(
    {
        "path": {"type": "string", "description": "The file or folder, relative to root_dir"},
        "reason": {"type": "string", "enum": [reason.value for reason in SkipReason]},
        "detail": {"type": "string", "description": "More for people"},
    }
)
_TOTALS = _object(
    dict.fromkeys(("modules", "classes", "functions", "methods", "lines", "bytes", "skipped"), _COUNT),
)

PARAMETERS = _object(
    {
        "root_dir": {
            "type": "string",
            "minLength": 1,
            "description": "The folder of the project, on the server; a relative path starts where the server runs",
            "examples": ["/srv/project"],
        },
        "max_file_bytes": {
            "type": "integer",
            "minimum": 1,
            "default": DEFAULT_MAX_FILE_BYTES,
            "description": "Larger files are skipped",
        },
        "exclude": {
            **_array({"type": "string"}),
            "default": list(DEFAULT_EXCLUDE),
            "description": "Glob patterns of names or relative paths to pass over; they replace the default ones",
        },
    },
    required=["root_dir"],
)
PARAMETERS["x-use-queue"] = True

RESULT = _object(
    {
        "success": {"type": "boolean", "const": True},
        "data": _object(
            {
                "root_dir": _TEXT,
                "complete": {"type": "boolean", "description": "False when a stop came before the last file"},
                "totals": _TOTALS,
                "modules": _array(_MODULE),
                "skipped": _array(_SKIPPED),
            }
        ),
    }
)
