"""The address of the gateway as the page gets it, and the content policy that lets it connect there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.page import FOLDER, csp, gateway_url
from config.settings import Settings


def settings(**changes: str) -> Settings:
    return Settings.model_validate({"rt_port": 8001, "rt_public_url": "", **changes})


@pytest.mark.parametrize(
    ("host", "proxied", "secure", "url"),
    [
        ("localhost", False, False, "ws://localhost:8001/ws"),
        ("localhost:8000", False, False, "ws://localhost:8001/ws"),
        ("example.org", False, True, "wss://example.org:8001/ws"),
        ("[::1]:8000", False, False, "ws://[::1]:8001/ws"),
        ("", False, False, "ws://localhost:8001/ws"),
        ("evil;script-src *", False, False, "ws://localhost:8001/ws"),
        ("example.org", True, True, "wss://example.org/ws"),
        ("example.org:8443", True, True, "wss://example.org:8443/ws"),
        ("[2001:db8::1]", True, True, "wss://[2001:db8::1]/ws"),
        ("[2001:db8::1]:8443", True, False, "ws://[2001:db8::1]:8443/ws"),
        ("evil;script-src *:1", True, True, "wss://localhost/ws"),
    ],
)
def test_the_gateway_is_on_the_host_that_was_asked(host: str, proxied: bool, secure: bool, url: str) -> None:
    """Seen failing with RT_PORT behind a proxy too: a port that nobody outside can reach."""
    assert gateway_url(settings(), host, proxied=proxied, secure=secure) == url


@pytest.mark.parametrize("proxied", [True, False])
def test_the_setting_wins(proxied: bool) -> None:
    public = settings(rt_public_url="wss://live.example.org/ws")
    assert gateway_url(public, "example.org", proxied=proxied, secure=True) == "wss://live.example.org/ws"
    assert "connect-src 'self' wss://live.example.org;" in csp(public, "example.org", proxied=proxied)


@given(st.text(max_size=60), st.booleans())
def test_no_host_adds_a_directive(host: str, proxied: bool) -> None:
    """Planted once and seen to fail: the host taken into the policy as it came."""
    policy = csp(settings(), host, proxied=proxied)
    assert policy.count(";") == csp(settings(), "localhost", proxied=proxied).count(";")
    assert policy.isascii()
    assert policy.isprintable()


def test_the_page_needs_no_exception_from_its_policy() -> None:
    page = (FOLDER / "index.html").read_text("utf-8")
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 1
    assert "unsafe" not in csp(settings(), "localhost", proxied=False)
