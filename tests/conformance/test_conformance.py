"""The official conformance suite of MCP finds nothing wrong with the endpoint."""

from __future__ import annotations

import pytest

from tests.conformance.scenarios import PASSED, SKIPPED, SKIPPED_CHECKS
from tests.conformance.suite import FAILURE, SUCCESS, WARNING, Results, of_status, scenarios_of_the_suite
from tests.docs.pages import REPOSITORY, Page, table

PAGE = Page(REPOSITORY / "docs/reference/mcp-conformance.md")
CHECKS = {f"{scenario}: {check}": why for scenario, checks in SKIPPED_CHECKS.items() for check, why in checks.items()}
DOCUMENTED = (("## Skipped scenarios", SKIPPED), ("## Skipped checks", CHECKS))


def test_no_scenario_of_the_suite_is_forgotten() -> None:
    assert sorted([*PASSED, *SKIPPED]) == sorted(scenarios_of_the_suite())


@pytest.mark.parametrize(("heading", "skipped"), DOCUMENTED)
def test_the_documentation_says_what_is_skipped_and_why(heading: str, skipped: dict[str, str]) -> None:
    rows = table(PAGE.section(heading))
    assert [(name.strip("`"), reason) for name, reason in rows] == list(skipped.items())


@pytest.mark.parametrize("scenario", PASSED)
def test_a_scenario_is_passed(results: Results, scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert scenario in results, "the suite has broken off in it"
    checks = results[scenario]
    with capsys.disabled():
        for warning in of_status(checks, WARNING):
            print(f"\n{scenario}: {warning}")
    skipped = SKIPPED_CHECKS.get(scenario, {})
    failures = [str(check) for check in of_status(checks, FAILURE) if check.id not in skipped]
    assert not failures, "\n".join(failures)
    assert of_status(checks, SUCCESS)


@pytest.mark.parametrize("scenario", SKIPPED)
def test_a_skipped_scenario_would_not_be_passed(results: Results, scenario: str) -> None:
    checks = results[scenario]
    assert of_status(checks, FAILURE, WARNING) or not of_status(checks, SUCCESS), "it need not be skipped"


@pytest.mark.parametrize("scenario", SKIPPED_CHECKS)
def test_a_skipped_check_would_fail(results: Results, scenario: str) -> None:
    failed = {check.id for check in of_status(results[scenario], FAILURE)}
    assert SKIPPED_CHECKS[scenario].keys() <= failed
