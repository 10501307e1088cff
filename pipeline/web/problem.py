"""What the API answers instead of what was asked for."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """Why there is no other answer, in one sentence."""

    detail: str


Responses = dict[int | str, dict[str, Any]]

ANYWHERE: Responses = {
    422: {"model": Problem, "description": "Something in the request is wrong."},
    503: {"model": Problem, "description": "The store cannot be read or written at present."},
}
MISSING: Responses = {404: {"model": Problem, "description": "There is no such thing."}}
