"""A model with 8-bit integers made of a float one, by NNCF's post-training quantization."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import logging
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import INT8
from pipeline.detectors.compiled import examine, metadata
from pipeline.detectors.pool import last_line
from pipeline.errors import ConfigError, StoreError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Frame


def require_nncf() -> None:
    """Raises: ConfigError: NNCF is not installed."""
    if importlib.util.find_spec("nncf") is None:
        raise ConfigError(
            "NNCF, which makes models with 8-bit integers, is not installed; install it with "
            "pip install nncf."
        )


def quantize(
    weights: Path, pictures: Sequence[tuple[Frame, int]], folder: Path, *, of: str
) -> Path:
    """Make an INT8 model of an .onnx or .xml, calibrated on frames, each with the longer side of
    the input that it is looked at in; `of` is the SHA-256 of the weights.

    All convolutions become integer, each output channel's weights with a scale of their own. What
    stands behind the last of them, where boxes are made of the head's answers, stays float.

    Returns:
        The .xml, in `folder`, its .bin beside it. Its name tells what it was made of.

    Raises:
        ConfigError: NNCF is not installed.
        WeightsError: the model is none that NNCF can quantize.
        StoreError: the folder does not take it.
    """
    require_nncf()
    nncf = _nncf()
    import openvino as ov

    try:
        model = ov.Core().read_model(weights)
        told = metadata(model, weights)
        exported = examine(model, weights)
        width, height = exported.size or (-1, -1)
        model.reshape([1, 3, height, width])
        join_activations(model)
        inputs = [
            _input(exported.letterbox(frame.size, size).apply(frame.image()))
            for frame, size in pictures
        ]
        with _quietly():
            made = nncf.quantize(
                model,
                nncf.Dataset(inputs),
                subset_size=len(inputs),
                # Activations of SiLU reach from -0.28 up: a scale that is symmetric around 0 would
                # waste half of the integers, and lost 2.7% of detections where this lost 0.8%.
                preset=nncf.QuantizationPreset.MIXED,
                ignored_scope=nncf.IgnoredScope(names=behind_convolutions(model), validate=False),
            )
    except (RuntimeError, ValueError, nncf.InternalError, nncf.ValidationError) as error:
        raise WeightsError(
            f"No model with 8-bit integers can be made of {weights} ({last_line(error)})."
        ) from error
    for key, value in told.items():
        made.set_rt_info(str(value), ["framework", key])
    path = folder / f"{INT8}{_name(of, inputs)}.xml"
    _save(made, path)
    return path


def takes_any_size(weights: Path) -> bool:
    """Whether the input of a model that can be loaded may have any size."""
    switch_off()
    import openvino as ov

    return examine(ov.Core().read_model(weights), weights).size is None


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16."""
    switch_off()
    import openvino as ov

    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def join_activations(model: Any) -> int:
    """Make one operation, Swish, of each x * sigmoid(x); how many there were.

    In a float model OpenVINO does this itself. In an INT8 one it (2026.4) does not, and each of
    YOLO11n's 77 SiLUs is then a pass of its own over its picture instead of the end of a
    convolution: 16.1 ms of processor time a picture instead of 13.3 ms (640x480, AMD EPYC).
    """
    from openvino import opset4

    joined = 0
    for product in model.get_ordered_ops():
        if product.get_type_name() != "Multiply":
            continue
        factors = product.input_value(0), product.input_value(1)
        for value, other in (factors, factors[::-1]):
            sigmoid = other.get_node()
            if sigmoid.get_type_name() == "Sigmoid" and sigmoid.input_value(0) == value:
                swish = opset4.swish(value)
                swish.set_friendly_name(product.get_friendly_name())
                product.output(0).replace(swish.output(0))
                joined += 1
                break
    model.validate_nodes_and_infer_types()
    return joined


def behind_convolutions(model: Any) -> list[str]:
    """The names of the operations between the last convolutions and the results.

    A convolution to one channel is among them: it is the sum in which the head of a YOLO turns
    its distribution over distances into a distance, with weights 0, 1, 2, ... that say what is
    what.
    """
    waiting = [result.input_value(0).get_node() for result in model.get_results()]
    found: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        name, kind = node.get_friendly_name(), node.get_type_name()
        learned = kind in ("Convolution", "GroupConvolution") and not _to_one_channel(node)
        if name in found or kind in ("Parameter", "Constant") or learned:
            continue
        found[name] = None
        waiting += [value.get_node() for value in node.input_values()]
    return list(found)


def _to_one_channel(convolution: Any) -> bool:
    channels = convolution.output(0).get_partial_shape()[1]
    return bool(channels.is_static and channels.get_length() == 1)


def _input(canvas: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(1, 3, height, width), red green blue, 0..1."""
    planes = np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1)[None])
    return planes.astype(np.float32) / np.float32(255)


def _name(of: str, inputs: Sequence[NDArray[np.float32]]) -> str:
    """Made of the model, the pictures and NNCF's version."""
    made_of = hashlib.sha256(of.encode() + version("nncf").encode())
    for picture in inputs:
        made_of.update(picture.data)
    return f"{of[:12]}-{made_of.hexdigest()[:12]}"


def _save(model: Any, path: Path) -> None:
    import openvino as ov

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ov.save_model(model, path, compress_to_fp16=False)
        # OpenVINO does not notice that a disk is full.
        ov.Core().read_model(path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or last_line(error)
        raise StoreError(
            f"The model with 8-bit integers cannot be kept in {path.parent} ({reason}); free some "
            "space there or make it writable."
        ) from error


def _nncf() -> Any:
    """NNCF, without what it would report and say."""
    switch_off()
    with _quietly():
        import nncf
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """NNCF draws bars on standard output, where this program's answer goes."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
