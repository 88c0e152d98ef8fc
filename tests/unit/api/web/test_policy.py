"""The address of the gateway as the page gets it, and the content policy that lets it connect there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.page import FOLDER, csp, gateway_url
from config.settings import Settings


def settings(**changes: str) -> Settings:
    return Settings.model_validate({"rt_port": 8001, "rt_public_url": "", **changes})


@pytest.mark.parametrize(
    ("host", "secure", "url"),
    [
        ("localhost", False, "ws://localhost:8001/ws"),
        ("example.org", True, "wss://example.org:8001/ws"),
        ("::1", False, "ws://[::1]:8001/ws"),
        ("", False, "ws://localhost:8001/ws"),
        ("evil;script-src *", False, "ws://localhost:8001/ws"),
    ],
)
def test_the_gateway_is_on_the_host_that_was_asked(host: str, secure: bool, url: str) -> None:
    assert gateway_url(settings(), host, secure=secure) == url


def test_the_setting_wins() -> None:
    public = settings(rt_public_url="wss://live.example.org/ws")
    assert gateway_url(public, "example.org", secure=True) == "wss://live.example.org/ws"
    assert "connect-src 'self' wss://live.example.org;" in csp(public, "example.org")


@given(st.text(max_size=60))
def test_no_host_adds_a_directive(host: str) -> None:
    """Planted once and seen to fail: the host taken into the policy as it came."""
    policy = csp(settings(), host)
    assert policy.count(";") == csp(settings(), "localhost").count(";")
    assert policy.isascii()
    assert policy.isprintable()


def test_the_page_needs_no_exception_from_its_policy() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 1
    assert "unsafe" not in csp(settings(), "localhost")
