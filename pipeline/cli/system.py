"""`vigil doctor` and `vigil service`: the machine around the program."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from pipeline import instance
from pipeline.cli import app
from pipeline.configfile import read_config
from pipeline.errors import ConfigError, VigilError

MIN_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report; `needed` false means a want that is no fault."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


def _package(name: str, module: str, what: str, remedy: str, *, needed: bool) -> Finding:
    # Found without importing it: a report must be quick, and torch alone takes seconds.
    if importlib.util.find_spec(module) is None:
        return Finding(what, False, f"{name} is not installed", remedy, needed)
    return Finding(what, True, f"{name} {importlib.metadata.version(name)}", needed=needed)


def _libraries() -> Finding:
    try:
        import cv2
    except ImportError as error:
        return Finding(
            "image library",
            False,
            f"opencv-python does not load ({error})",
            "apt-get install libgl1 libglib2.0-0 libxcb1",
        )
    return Finding("image library", True, f"opencv-python {cv2.__version__}")


def _decoder() -> Finding:
    import av

    version = av.library_versions["libavcodec"]
    names = [name for name in ("h264", "hevc", "mjpeg") if name in av.codecs_available]
    return Finding(
        "video decoder",
        len(names) == 3,
        f"PyAV {av.__version__}, libavcodec {'.'.join(map(str, version))}: {', '.join(names)}",
        "reinstall the package av",
    )


def _weights() -> Finding:
    from pipeline.weights import packaged_weights

    try:
        path = packaged_weights()
    except VigilError as error:
        return Finding("detector weights", False, str(error), "make install")
    return Finding("detector weights", True, f"{path.name}, checksum right")


def _server() -> Finding:
    from pipeline.bus.embedded import server_binary

    try:
        path = server_binary()
    except VigilError as error:
        return Finding("embedded Redis server", False, str(error), "make install")
    return Finding("embedded Redis server", True, path.name)


def _disk() -> Finding:
    folder = Path(platformdirs.user_data_path("vigil"))
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Finding(
        "disk",
        free >= MIN_FREE_GB,
        f"{free:.0f} GB free at {folder}",
        "free some space, or name another folder with `data:`",
    )


def _accelerator() -> Finding:
    gpu = shutil.which("nvidia-smi")
    if gpu is None:
        return Finding("graphics card", False, "no NVIDIA driver found", needed=False)
    names = subprocess.run(
        [gpu, "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    ).stdout.split("\n")
    return Finding("graphics card", True, names[0] or "an NVIDIA driver", needed=False)


def _model() -> Finding:
    return _package(
        "transformers",
        "transformers",
        "local vision-language models",
        "pip install 'vigil[vlm]', or use a model server's address",
        needed=False,
    )


def _running() -> Finding:
    found = instance.running()
    text = ", ".join(f"{one.site} (process {one.pid})" for one in found) or "none"
    return Finding("running installations", True, text, needed=False)


CHECKS: tuple[Callable[[], Finding], ...] = (
    _libraries,
    _decoder,
    lambda: _package("openvino", "openvino", "detector runtime", "make install", needed=True),
    _weights,
    _server,
    _model,
    _accelerator,
    _disk,
    _running,
)


@app.command()
def doctor() -> None:
    """Say what is installed, found and missing, and what to do about it."""
    healthy = True
    for check in CHECKS:
        found = check()
        mark = "ok     " if found.ok else "MISSING" if found.needed else "absent "
        remedy = f"  -> {found.remedy}" if not found.ok and found.remedy else ""
        typer.echo(f"{mark} {found.what}: {found.detail}{remedy}")
        healthy &= found.ok or not found.needed
    typer.echo(f"ok      {os.cpu_count()} CPU cores, Python {sys.version.split()[0]}")
    if not healthy:
        raise typer.Exit(1)


service = typer.Typer(help="Run vigil as a system service.", no_args_is_help=True)
app.add_typer(service, name="service")

UNIT = """\
[Unit]
Description=Vigil video surveillance
Wants=network-online.target
After=network-online.target

[Service]
Type=simple
User={user}
ExecStart={python} -P -m pipeline run {config}
WorkingDirectory={folder}
Environment={cache}
Restart=on-failure
RestartSec=5
TimeoutStopSec=15
{environment}NoNewPrivileges=true
PrivateTmp=true
ProtectSystem=strict
ProtectKernelTunables=true
ProtectControlGroups=true
RestrictSUIDSGID=true
ReadWritePaths={data} {state}
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def unit(config: Path, user: str, environment: Path | None) -> str:
    """The text of a systemd unit that runs `config` as `user`.

    Raises:
        ConfigError: the configuration is wrong, or there is no such user.
    """
    config = config.resolve()
    data = read_config(config).data.resolve()
    lines = ""
    if environment is not None:
        lines = f"EnvironmentFile={_quoted(environment.resolve())}\n"
    return UNIT.format(
        config=_quoted(config),
        user=_user(user).pw_name,
        python=_quoted(sys.executable),
        # Not quoted: this setting takes the rest of its line.
        folder=_quoted(config.parent).strip('"'),
        data=_quoted(data),
        state=_quoted(_state(user)),
        cache=_quoted(f"XDG_CACHE_HOME={data / 'cache'}"),
        environment=lines,
    )


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise ConfigError(f"There is no user {name!r}; name one with --user.") from None


def _state(user: str) -> Path:
    """Where `vigil subscribe` of that user looks for what runs."""
    return Path(_user(user).pw_dir) / ".local/state/vigil"


def _quoted(value: Path | str) -> str:
    """A value as systemd.syntax(7) wants it: specifiers and quotes escaped.

    Raises:
        ConfigError: it holds a control character, which no unit can.
    """
    text = str(value)
    if not text.isprintable():
        raise ConfigError(f"{text!r} cannot stand in a systemd unit; rename it.")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


def _make_folders(config: Path, user: str) -> None:
    """The folders that the unit may write to must exist before it starts."""
    account = _user(user)
    for folder in (read_config(config).data.resolve(), _state(user)):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.geteuid() == 0:
                os.chown(folder, account.pw_uid, account.pw_gid)
        except OSError as error:
            raise ConfigError(
                f"{folder} cannot be made for {user} ({error.strerror}); run as root."
            ) from None


@service.command("install")
def install(
    config: Annotated[Path, typer.Argument(help="The streams.yaml to run.")] = Path("streams.yaml"),
    user: Annotated[str | None, typer.Option(help="Who runs it; you, if not given.")] = None,
    environment_file: Annotated[
        Path | None, typer.Option(help="File with the NAME=value lines for ${NAME} references.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write the unit; - prints it.")
    ] = Path("/etc/systemd/system/vigil.service"),
) -> None:
    """Write a systemd unit and say how to start it."""
    user = user or pwd.getpwuid(os.getuid()).pw_name
    text = unit(config, user, environment_file)
    if str(output) == "-":
        sys.stdout.write(text)
        return
    _make_folders(config, user)
    try:
        output.write_text(text)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written ({error.strerror}); run as root or choose --output."
        ) from None
    typer.echo(f"Wrote {output}. Start it now and at every boot:")
    typer.echo(f"  systemctl daemon-reload && systemctl enable --now {output.name}")
