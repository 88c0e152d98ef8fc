"""Keys of requests that may be repeated."""

import pytest

from api.idempotency import check_key
from config.errors import BadInput


@pytest.mark.parametrize("key", ["", "k" * 201, "ключ", "a\nb", "a\x7f", None, 5])
def test_refuses_keys(key: object) -> None:
    with pytest.raises(BadInput):
        check_key(key)


def test_accepts_keys() -> None:
    assert check_key("k" * 200) == "k" * 200
    assert check_key(" ~") == " ~"
