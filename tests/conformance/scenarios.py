"""Which of the suite's scenarios and checks our servers have to pass, and why not the others.

Together they are the server scenarios of ``--requirements 2026-07-28``, which include those of the tasks extension.
"""

from __future__ import annotations

REVISION = "2026-07-28"

PASSED = (
    "caching",
    "dns-rebinding-protection",
    "http-custom-header-server-validation",
    "http-header-validation",
    "input-required-result-basic-elicitation",
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-result-type",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "json-schema-2020-12",
    "resources-list",
    "sep-2164-resource-not-found",
    "server-sse-multiple-streams",
    "server-stateless",
    "tasks-capability-negotiation",
    "tasks-dispatch-and-envelope",
    "tasks-lifecycle",
    "tasks-mrtr-composition",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-request-state-removal",
    "tasks-required-task-error",
    "tasks-wire-fields",
    "tools-call-error",
    "tools-call-simple-text",
    "tools-call-with-progress",
    "tools-list",
)

_PROMPTS = "The server announces no prompts."
_RESOURCES = "The resources are those of jobs, below `job://`; this one is the suite's own."
_CONTENT = "A command answers a JSON object: it becomes structured content and text, never another kind of content."
_QUESTIONS = "The user is asked (elicitation), never the client's model (sampling) or its file system (roots)."
_STATE = "A call asks only for arguments that are missing, so it has no state; what a job asks is answered in its task."

SKIPPED = {
    "completion-complete": "The server announces no completions.",
    "input-required-result-basic-list-roots": _QUESTIONS,
    "input-required-result-basic-sampling": _QUESTIONS,
    "input-required-result-capability-check": _QUESTIONS,
    "input-required-result-multi-round": _STATE,
    "input-required-result-multiple-input-requests": _QUESTIONS,
    "input-required-result-non-tool-request": _PROMPTS,
    "input-required-result-request-state": _STATE,
    "input-required-result-tampered-state": _STATE,
    "prompts-get-embedded-resource": _PROMPTS,
    "prompts-get-simple": _PROMPTS,
    "prompts-get-with-args": _PROMPTS,
    "prompts-get-with-image": _PROMPTS,
    "prompts-list": _PROMPTS,
    "resources-read-binary": _RESOURCES,
    "resources-read-text": _RESOURCES,
    "resources-templates-read": _RESOURCES,
    "tasks-status-notifications": "The suite itself skips it: it does not listen for notifications of tasks yet.",
    "tools-call-audio": _CONTENT,
    "tools-call-embedded-resource": _CONTENT,
    "tools-call-image": _CONTENT,
    "tools-call-mixed-content": _CONTENT,
}
"""Scenario -> the reason."""

SKIPPED_CHECKS = {
    "caching": {
        "sep-2549-prompts-list-caching-hints": _PROMPTS,
    },
}
"""Scenario that is passed -> check that is not -> the reason."""
