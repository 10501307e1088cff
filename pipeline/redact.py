"""Keep passwords out of everything a person or a log reads."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

HIDDEN = "***"

# Userinfo of any URL in running text. A password may hold an unescaped / or @ or a quote, so all up
# to the last @ of the word is taken for it: an address shown too short beats half a password.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<info>\S*)@")
# The names under which cameras, recorders and brokers take secrets: in a query, between slashes,
# underscores or semicolons.
_QUERY = re.compile(
    r"(?P<key>(?<![A-Za-z])(?:login_?)?"
    r"(?:pass?(?:word|wd|phrase)?|pwd|(?:access_?)?token|secret|auth|(?:api_?)?key|signature)=)"
    r"[^&;\s'\"#]+",
    re.IGNORECASE,
)


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


def url_secrets(url: str) -> tuple[str, ...]:
    """The password of a URL, as written, or nothing; for `redact`."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return ()
    return (password,) if password else ()
