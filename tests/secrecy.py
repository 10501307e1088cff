"""No test may leave a camera's password where somebody reads it: in what it logs or prints, or in
any file but a configuration. A plugin of conftest.py; see `test_no_password.py` for the rest."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

PASSWORDS = ("sesame", "hunter2", "p@ss/w:rd", "Ünïque+42%")
"""Of all cameras and brokers in the tests."""
MAY_HOLD = (".yaml", ".yml", ".env", ".py")
"""Where users write passwords themselves."""


def forms(password: str, user: str = "") -> set[bytes]:
    """How a password may be written: plain, percent-encoded, in JSON, with its user in base64."""
    texts = {
        password,
        quote(password),
        quote(password, safe=""),
        quote_plus(password),
        json.dumps(password)[1:-1],
    }
    found = {text.encode() for text in texts}
    if user:
        found.add(base64.b64encode(f"{user}:{password}".encode()).rstrip(b"="))
    return found


def leaks(content: bytes, passwords: Iterable[str] = PASSWORDS) -> list[str]:
    """The passwords that stand in it, in any form."""
    return [word for word in passwords if any(form in content for form in forms(word))]


def leaking_files(folder: Path) -> list[str]:
    """The files below a folder that hold a password."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix in MAY_HOLD or path.name == ".env" or not path.is_file():
            continue
        try:
            words = leaks(path.read_bytes())
        except OSError:
            continue
        if words:
            found.append(f"{path}: {', '.join(words)}")
    return found
