"""Where code of the user's own is found."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.own import imported, search_also, searched


def test_what_lies_in_a_folder_that_is_searched_also_is_found_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("limping_rules", "colorsys"):
        (tmp_path / f"{name}.py").write_text("def rule(*given): return given\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    search_also([str(tmp_path)])
    search_also([str(tmp_path)])
    assert sys.path.count(str(tmp_path)) == 1
    assert imported("limping_rules:rule", "rules.limps.type")(1) == (1,)
    assert imported("colorsys:rgb_to_hsv", "rules.limps.type")(0, 0, 0) == (0.0, 0.0, 0)


def test_a_folder_whose_name_is_no_text_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), os.fsdecode(b"/gr\xfc\xdfe")])
    assert searched() == (str(tmp_path),)
