"""What a test does where a program of the system is missing."""

import pytest

from tests.support.programs import needs


@pytest.mark.parametrize("ci", ["1", "true"])
def test_a_missing_program_is_a_failure_in_ci(ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing with a skip everywhere: a run that tested nothing of config/deploy was green."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        needs("no-such-program")


def test_a_missing_program_is_a_skip_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen failing with a failure everywhere."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"no-such-program is not installed: `bash \.ci/run`"):
        needs("no-such-program")
    assert needs("no-such-program", "sh").endswith("/sh")
