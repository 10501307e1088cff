"""Events in their stored form."""

from __future__ import annotations

from pydantic import ValidationError

from pipeline.errors import StoreError
from pipeline.types import Event


def parsed(snapshot: str) -> Event:
    """An event from its stored form. Raises: StoreError: it is not of this version's."""
    try:
        return Event.model_validate_json(snapshot)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StoreError(
            f"A stored event cannot be read (at {where}); was the database changed by hand, or by "
            "another version of vigil?"
        ) from None
