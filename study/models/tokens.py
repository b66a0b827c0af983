"""Opaque names."""

import secrets


def new_token() -> str:
    """An opaque name: 128 random bits, not derived from anything."""
    return secrets.token_urlsafe(16)
