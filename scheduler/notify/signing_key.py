"""Check the key that signs notices."""

import base64

from scheduler.errors import SettingInvalid

LEAST_KEY = 24  # bytes of a signing key, by Standard Webhooks


def check_secret(name: str, secret: str) -> None:
    """Raise SettingInvalid if a secret is set that cannot sign notices. The error does not quote it."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and len(key) < LEAST_KEY:
        expected = f"whsec_ and {LEAST_KEY} or more bytes in base64 (see `openssl rand -base64 32`)"
        raise SettingInvalid(f"{name}: expected {expected}, got another value")
