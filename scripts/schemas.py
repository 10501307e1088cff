"""Writes what is generated from the models: docs/schemas/*.json and docs/configuration.md."""

from __future__ import annotations

from pathlib import Path

from pipeline.wire import configuration_page, schemas

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    for name, text in schemas().items():
        (DOCS / "schemas" / name).write_text(text, encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
