"""Keep passwords out of everything a person or a log reads."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"

# Userinfo of any URL in running text. A password may hold an unescaped / or @ or a quote, so all up
# to the last @ of the word is taken for it: an address shown too short beats half a password.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<info>\S*)@")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
# The names under which cameras, recorders and brokers take secrets: in a query, between slashes,
# underscores or semicolons.
_KEY = (
    r"(?P<key>(?:passw(?:or)?d|passphrase|passcode|pwd|psw|(?<![A-Za-z])(?:login_?|user_?)?"
    r"(?:pass?|pw|(?:access_?)?token|secret|auth|(?:api_?)?key|signature))=)"
)
_SECRET = re.compile(_KEY, re.IGNORECASE)
# In running text a quote or a semicolon may be part of the value, or what comes after it.
_QUERY = re.compile(_KEY + r"(?:[^&;\s'\"#]|[;'#](?=\w))+", re.IGNORECASE)


def redact(text: str, *secrets: str) -> str:
    """`text` with the account of every URL, secret query values and the given secrets hidden.

    Each secret is hidden as it is, percent-encoded and decoded.
    """
    text = _USERINFO.sub(lambda m: f"{m['scheme']}{HIDDEN}@", text)
    text = _QUERY.sub(lambda m: f"{m['key']}{HIDDEN}", text)
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), unquote(secret)}:
            if form:
                text = text.replace(form, HIDDEN)
    return text


def shown(address: str) -> str:
    """A camera's address for people: without its account, and with the secrets in its path and its
    query hidden.

    A password may hold an unescaped / or @ or ?, so all that stands before the last @ is taken for
    the account, also where the scheme is forgotten or misspelt: an address shown too short is
    better than half a password. Only the path of what exists is shown whole.
    """
    match = _SCHEME.fullmatch(address)
    if match is not None and match["scheme"].lower() != "file":
        return f"{match['scheme']}://{_without_secrets(match['rest'])}"
    return address if _exists(address) else _without_secrets(address)


def _exists(address: str) -> bool:
    try:
        return Path(address.removeprefix("file://")).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _without_secrets(text: str) -> str:
    parts = text.rpartition("@")[2].split("&")
    return "&".join(_value_hidden(part) for part in parts)


def _value_hidden(part: str) -> str:
    """A part of a query in which all behind a secret's name is hidden, however it is encoded."""
    if match := _SECRET.search(part):
        return part[: match.end()] + HIDDEN
    decoded = unquote(part)
    while (match := _SECRET.search(decoded)) is None:
        previous, decoded = decoded, unquote(decoded)
        if decoded == previous:
            return part
    return quote(decoded[: match.end()], safe="/?:=&;,+!$'()*[]") + HIDDEN


def url_secrets(url: str) -> tuple[str, ...]:
    """The password of a URL, as written, or nothing; for `redact`."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return ()
    return (password,) if password else ()
