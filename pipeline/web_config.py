"""Who reaches the page, and how, as it stands under `web` in streams.yaml."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from pipeline.section import Section


class Web(Section):
    """The page on which events are reviewed."""

    enabled: bool = True
    """Whether it is served."""
    listen: str = "127.0.0.1"
    """The address it listens on; on any but this machine's own, browsers enter by a one-time
    link."""
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Its port; 8480, or a free one if that is taken, if not given."""
    token: Annotated[SecretStr, Field(min_length=24)] | None = None
    """What programs such as Prometheus send as `Authorization: Bearer ...` to read the page, its
    API and /metrics where `listen` is not this machine's own; ${NAME} takes it from the
    environment."""

    @field_validator("token")
    @classmethod
    def _token_can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        # RFC 6750, 2.1: what else programs send in a header arrives changed, or not at all.
        if value is not None and not re.fullmatch(
            r"[A-Za-z0-9._~+/-]+=*", value.get_secret_value()
        ):
            raise ValueError(
                "use letters from A to Z, digits and . _ ~ + / - only, as "
                "`openssl rand -hex 32` does"
            )
        return value

    @field_validator("listen")
    @classmethod
    def _listen_known(cls, value: str) -> str:
        if value != "localhost":
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError(
                    "write an address of this machine such as 127.0.0.1, or 0.0.0.0 for all of them"
                ) from None
        return value
