"""Secrets from files: `{NAME}_FILE` names the file that holds the setting NAME.

A process's environment can be read by every process of the same account, and is handed on to children; a file has an
owner (systemd's LoadCredential, Docker's and Kubernetes' secrets).
"""

import os
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

SUFFIX: Final = "_FILE"
SECRET_BYTES_MAX: Final = 65_536  # a path that leads to something else is no reason to read without end


class SecretFileError(Exception):
    """A `…_FILE` that gives no secret; its text names the setting and the reason, and nothing of the file."""


class SecretFiles(PydanticBaseSettingsSource):
    """Gives each field of type SecretStr whose `…_FILE` is set what that file holds, without line feeds at its end."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret, or None. Raises SecretFileError."""
        return self._secret(field_name) if field.annotation is SecretStr else None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The secrets of the files by the names of their fields. Raises SecretFileError."""
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: secret for name, secret in found.items() if secret is not None}

    def _secret(self, name: str) -> str | None:
        environment = {key.upper(): value for key, value in os.environ.items()}
        setting = f"{name.upper()}{SUFFIX}"
        path = environment.get(setting)
        if not path:
            return None
        if environment.get(name.upper()):
            raise SecretFileError(f"{setting}: {name.upper()} is set too; give one of them")
        return _read(setting, Path(path))


def _read(setting: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise SecretFileError(f"{setting}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretFileError(f"{setting}: the file is not UTF-8") from None
    if len(content) > SECRET_BYTES_MAX:
        raise SecretFileError(f"{setting}: the file has more than {SECRET_BYTES_MAX} bytes")
    if "\0" in text:
        raise SecretFileError(f"{setting}: the file is not text")
    if not text:
        raise SecretFileError(f"{setting}: the file is empty")
    return text
