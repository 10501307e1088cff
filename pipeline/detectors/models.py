"""Where a detector's model comes from: the package, the folder of models, a path or an address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline import weights
from pipeline.config import PACKAGED, DetectorSection
from pipeline.errors import ConfigError

FOLDER = "_openvino_model"
"""How the name of a folder with a model of OpenVINO ends, as ultralytics exports it."""
READS: Mapping[str, tuple[str, ...]] = {
    "openvino": (FOLDER, ".xml", ".onnx"),
    "onnx": (".onnx",),
    "ultralytics": (".pt", ".onnx", FOLDER, ".xml", ".engine", ".torchscript"),
}
"""Backend -> how the names of its models end, the best first."""
ANY = (".onnx", FOLDER, ".pt")
"""The same where the backend is chosen by the model."""


def is_packaged(settings: DetectorSection) -> bool:
    """Whether the model is the one that comes with this program."""
    return settings.model == PACKAGED


def find_model(settings: DetectorSection, folder: Path) -> Path:
    """The file of the configured model: an .onnx, the .xml of an OpenVINO model, or what only
    ultralytics reads. One at an address is downloaded the first time, into `folder`.

    Raises:
        ConfigError: there is no such model, the backend does not read it, or it is a pickle that
            nobody said to trust; the message names the key.
        WeightsError: its checksum is wrong, or it cannot be downloaded.
    """
    if settings.remote:
        return _downloaded(settings, folder)
    if is_packaged(settings):
        path = weights.packaged_weights()
    else:
        named = Path(settings.model).expanduser() if settings.is_path else _named(settings, folder)
        path = _file(named)
    refuse_what_cannot_be_read(settings, path.name)
    if settings.sha256 is not None:
        if path.suffix == ".xml":
            raise ConfigError(
                "detector.sha256: a model of OpenVINO is two files, so that the checksum of one "
                "says little; leave it out, or give an .onnx."
            )
        remedy = "correct `detector.sha256`, or get the file anew"
        weights.check(path, settings.sha256.lower(), remedy)
    return path


def refuse_what_cannot_be_read(settings: DetectorSection, name: str) -> None:
    """Raises: ConfigError: the backend reads no file of this name, or it is an untrusted pickle."""
    backend = settings.backend
    ends = READS.get(backend, tuple(end for reads in READS.values() for end in reads))
    suffix = Path(name).suffix.lower()
    if suffix not in ends:
        readers = [reader for reader, reads in READS.items() if suffix in reads]
        raise ConfigError(
            f"detector.model: {name} is nothing that "
            + (f"the backend {backend} reads" if backend in READS else "a backend reads")
            + (f"; set `backend: {readers[0]}`." if readers else "; write an .onnx, for example.")
        )
    if suffix == ".pt" and not settings.trust_pickle:
        raise ConfigError(
            f"detector.model: {name} is a pickle, which can run any code on this machine when it "
            "is loaded; set `trust_pickle: true` if you trust where it comes from, or export it "
            "to ONNX."
        )


def _named(settings: DetectorSection, folder: Path) -> Path:
    """A model in the folder of models; a pickle only where nothing else has the name."""
    ends = READS.get(settings.backend, ANY)
    if not settings.trust_pickle:
        ends = tuple(sorted(ends, key=".pt".__eq__))
    for end in ends:
        path = folder / (settings.model + end)
        if path.exists():
            return path
    raise ConfigError(
        f"detector.model: there is no model {settings.model!r} in {folder}; put "
        f"{settings.model}{'.onnx' if '.onnx' in ends else ends[0]} there, or write its path or "
        f"its https:// address. The model {PACKAGED} comes with this program."
    )


def _file(path: Path) -> Path:
    """The file itself; of a folder with a model of OpenVINO its .xml."""
    if path.is_dir():
        found = sorted(path.glob("*.xml"))
        if len(found) != 1:
            raise ConfigError(
                f"detector.model: the folder {path} holds no model of OpenVINO, which is one .xml "
                "and one .bin; name the file."
            )
        path = found[0]
    if not path.is_file():
        raise ConfigError(f"detector.model: there is no file {path}; write the path of a model.")
    if path.suffix == ".xml" and not path.with_suffix(".bin").is_file():
        raise ConfigError(f"detector.model: {path} has no .bin beside it; copy both.")
    return path


def _downloaded(settings: DetectorSection, folder: Path) -> Path:
    from pipeline.detectors import download

    assert settings.sha256 is not None  # the configuration was checked
    name = download.kept(settings.model, settings.sha256, folder).name
    if Path(name).suffix not in (".onnx", ".pt"):
        raise ConfigError(
            f"detector.model: the path of {download.shown(settings.model)} does not end in .onnx "
            "or .pt; write the address of the file itself."
        )
    refuse_what_cannot_be_read(settings, name)
    return download.fetch(settings.model, settings.sha256, folder)
