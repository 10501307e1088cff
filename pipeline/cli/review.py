"""`vigil review` and `vigil clip`: what was recorded, looked at and taken away."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from pipeline import instance
from pipeline.cli import app
from pipeline.cli.run import LISTEN_HELP, check_listen
from pipeline.configfile import read_config
from pipeline.errors import ConfigError, StoreError
from pipeline.media import LocalMedia
from pipeline.store import Store
from pipeline.types import Event

NEWEST = "latest"
SHORTEST_ID = 4
_PAGE = 50


@app.command()
def review(
    folder: Annotated[
        Path | None,
        typer.Argument(help="The data folder of a run; that of the last demo if not given."),
    ] = None,
    listen: Annotated[str, typer.Option(help=LISTEN_HELP, metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The page's port.")] = None,
) -> None:
    """Serve the page on what finished runs have recorded, until Ctrl-C."""
    from pipeline.web.serve import serve
    from pipeline.web.site import Site

    data = data_folder(folder, None)
    check_listen(listen)
    stop = threading.Event()
    with Store.open(data) as store:
        site = Site(
            store=store,
            media=LocalMedia(data / "media"),
            tz=None,
            cameras=dict(store.facets().cameras),
            statuses=lambda: None,
            name=data.name,
        )

        def ready(url: str) -> None:
            sys.stderr.write(f"Page: {url} (Ctrl-C stops)\n")

        try:
            serve(site, listen=listen, port=port, stop=stop, on_ready=ready, on_link=ready)
        except KeyboardInterrupt:
            stop.set()


@app.command()
def clip(
    event: Annotated[str, typer.Argument(help="An event's id, its beginning, or `latest`.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write.", metavar="FILE")],
    annotated: Annotated[
        bool, typer.Option("--annotated", help="With boxes, trails and the event's sentence.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="The data folder of a run.", metavar="FOLDER")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The streams.yaml whose events they are.")
    ] = None,
) -> None:
    """Save an event's clip as an MP4 file.

    That of a camera with privacy masks shows what they hide, unless it is the annotated one.
    """
    folder = data_folder(data, config)
    with Store.open(folder) as store:
        found = _found(store, event)
    wanted = found.annotated_clip if annotated else found.clip
    what = "annotated clip" if annotated else "clip"
    if found.of_camera:
        raise StoreError(f"Event {found.id} is about the camera itself and has no clip.")
    if wanted is None:
        why = found.clip_error or "It is still being made; try again in a moment."
        raise StoreError(f"Event {found.id} has no {what}. {why}")
    try:
        source = LocalMedia(folder / "media").path(wanted.key)
    except KeyError:
        raise StoreError(f"The {what} of event {found.id} is no longer kept.") from None
    try:
        shutil.copyfile(source, out)
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written ({error.strerror}); name another file."
        ) from None
    sys.stderr.write(f"{out}: {wanted.duration_s:.1f} s, {found.rule_reason}\n")
    if wanted.restricted:
        sys.stderr.write(
            "This clip shows what the camera's privacy masks hide; --annotated saves one that "
            "does not.\n"
        )


def data_folder(named: Path | None, config: Path | None) -> Path:
    """The data folder that is meant: named, of a configuration, of what runs, or of the demo.

    Raises:
        StoreError: there is none.
        ConfigError: several run and none was named, or the configuration is wrong.
    """
    if named is not None:
        folder = named.expanduser().absolute()
    elif config is not None:
        folder = read_config(config).data
    else:
        running = instance.running()
        if len(running) > 1:
            raise ConfigError("Several vigils run here; name the data folder of one of them.")
        demo = platformdirs.user_data_path("vigil") / "demo"
        folder = Path(running[0].data) if running else demo
    if not (folder / "vigil.db").is_file():
        raise StoreError(
            f"{folder} holds no events of vigil; name the folder that `data:` names in "
            "streams.yaml."
        )
    return folder


def _newest(store: Store) -> Event:
    """The newest event that a clip can be of. Raises: StoreError: there is none."""
    before: str | None = None
    while page := store.search(_PAGE, before=before):
        for event in page:
            if not event.of_camera:
                return event
        before = page[-1].id
    raise StoreError("There are no events yet.")


def _found(store: Store, wanted: str) -> Event:
    """Raises: StoreError: there is no such event, or more than one."""
    if wanted == NEWEST:
        return _newest(store)
    event = store.event(wanted)
    if event is not None:
        return event
    found = store.search_ids(wanted) if len(wanted) >= SHORTEST_ID else []
    if len(found) > 1:
        raise StoreError(f"Several events begin with {wanted}; write more of the id.")
    event = store.event(found[0]) if found else None
    if event is None:
        raise StoreError(f"There is no event {wanted}; the page and `vigil subscribe` show ids.")
    return event
