"""Find the secrets in the environment of a process, and take them out of what it writes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|AUTH|CREDENTIAL|WEBHOOK", re.IGNORECASE)
SHORTEST = 6  # characters: a shorter value is in too many words
HIDDEN = "[secret]"


@dataclass(frozen=True)
class Redaction:
    """The secrets to hide, the longest first, so that none is cut by another."""

    secrets: tuple[str, ...]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the values of variables that are named like a secret, and the passwords in addresses."""
        values = set()
        for name, value in environment.items():
            if NAMES.search(name):
                values.add(value.strip())
            password = _find_password(value)
            values |= {password, unquote(password)}
        values |= {json.dumps(value)[1:-1] for value in values}  # as a line of JSON spells it
        return cls(tuple(sorted((value for value in values if len(value) >= SHORTEST), key=lambda value: -len(value))))

    def apply(self, text: str) -> str:
        """Return the text without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _find_password(value: str) -> str:
    if "://" not in value or "@" not in value:
        return ""
    try:
        return urlsplit(value).password or ""
    except ValueError:
        return ""
