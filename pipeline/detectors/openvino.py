"""YOLO on OpenVINO: one compiled model, shared by all cameras of a process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import yaml

from pipeline.detectors.decode import boxes, detections
from pipeline.detectors.exported import Exported
from pipeline.detectors.pool import Answer, Asked, last_line
from pipeline.errors import ConfigError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Frame, Image


class OpenVinoModel:
    """A detection model in ONNX format or OpenVINO's own; see `pool.Model`.

    Pictures of any size share one model compiled for dynamic shapes: as fast as one compiled
    for each shape (within 5%), without a compilation whenever a camera of another shape comes.
    Arithmetic is float32: where a CPU has AMX, OpenVINO would choose bfloat16 by itself, which
    for so small a model was slower by a third and moved confidences by up to 0.02.

    Args:
        weights: an .onnx or .xml file, with ultralytics' metadata in it or beside it.
        cache: folder for the compiled model, to start sooner the next time.
        device: `auto` or `cpu` for the processor, `gpu`, `gpu.1`, `npu`.
        bfloat16: whether arithmetic is of that precision, for which the processor must have
            instructions.

    Raises:
        WeightsError: the file is no model that OpenVINO can run, or one of an unknown form.
        ConfigError: there is no such device.
    """

    def __init__(
        self,
        weights: Path,
        *,
        cache: Path | None = None,
        device: str = "auto",
        bfloat16: bool = False,
    ) -> None:
        model = _compile(weights, cache, device, "bf16" if bfloat16 else "f32")
        self.streams = model.streams
        where = "processor" if device in ("auto", "cpu") else device.upper()
        self.description = f"{weights.stem} on OpenVINO, {where}, {model.streams} streams"
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(model.streams):
            self._requests.put(model.compiled.create_infer_request())
        try:
            self._exported = model.exported.tried(_use_once(self._requests, model.exported.blank()))
        except (RuntimeError, ValueError) as error:
            raise _unusable(weights, error) from error
        self.labels: Sequence[str] = self._exported.labels

    def look(self, frame: Frame, asked: Asked) -> Answer:
        """As `pool.Model`."""
        import cv2

        box = self._exported.letterbox(frame.size, asked.size)
        # The whole picture is converted and then scaled by cv2, as ultralytics does: scaled by
        # swscale while converting it is 0.4 ms cheaper at 1080p, but only 93% of the boxes
        # then agree with ultralytics' at input size 640, and 63% at 320.
        # OpenVINO (2026.4) would exchange the colours in the first convolution. Of some models of
        # any input size, an RT-DETR and a YOLO with suppression inside among them, it drops the
        # exchange without a word and finds less; here it takes 0.02 ms at 640x384.
        canvas = cv2.cvtColor(box.apply(frame.image()), cv2.COLOR_BGR2RGB)
        request = self._requests.get()
        began = time.perf_counter()
        try:
            request.infer({0: canvas[None]}, share_inputs=True)
            busy_s = time.perf_counter() - began
            output = request.get_output_tensor().data[0]
            found = boxes(output, self._exported.form, box.canvas, asked.confidence, asked.wanted)
        finally:
            self._requests.put(request)
        return Answer(detections(found, box, self.labels), busy_s)

    def close(self) -> None:
        """Release the model; nobody is looking any more."""
        while not self._requests.empty():
            self._requests.get()


@dataclass(frozen=True, slots=True)
class _Model:
    compiled: Any
    exported: Exported
    streams: int


def _compile(weights: Path, cache: Path | None, device: str, precision: str) -> _Model:
    """Read and compile a model that takes (1, height, width, 3) uint8, red green blue."""
    switch_off()
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    core = ov.Core()
    if cache is not None:
        core.set_property({"CACHE_DIR": str(cache)})
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": precision}
    on = "CPU" if device == "auto" else device.upper()
    if not any(on in (there, there.partition(".")[0]) for there in core.available_devices):
        raise ConfigError(
            f"detector.device: {device} is no device that OpenVINO finds on this machine, which "
            f"has {', '.join(core.available_devices).lower()}; write one of these or `auto`."
        )
    try:
        model = core.read_model(weights)
        exported = examine(model, weights)
        steps = PrePostProcessor(model)
        picture = steps.input()
        picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        picture.preprocess().convert_element_type(ov.Type.f32)
        picture.preprocess().scale([255.0] * 3)
        picture.model().set_layout(ov.Layout("NCHW"))
        model = steps.build()
        width, height = exported.size or (-1, -1)
        model.reshape([1, height, width, 3])
        compiled = core.compile_model(model, on, settings)
        streams = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    except (RuntimeError, ValueError) as error:
        raise _unusable(weights, error) from error
    return _Model(compiled, exported, streams)


def examine(model: Any, weights: Path) -> Exported:
    """Raises: ValueError: it is no detector of objects in one picture; says why."""
    exported = Exported.of(metadata(model, weights))
    shape = model.inputs[0].partial_shape
    if len(model.inputs) != 1 or len(shape) != 4 or not (shape[1].is_dynamic or shape[1] == 3):
        raise ValueError("its input is not one colour picture")
    batch, _, height, width = (None if side.is_dynamic else side.get_length() for side in shape)
    if batch not in (None, 1):
        raise ValueError(f"it wants {batch} pictures at once; export it with batch=1")
    return exported.fixed(height, width)


def metadata(model: Any, weights: Path) -> Mapping[str, Any]:
    """What an .onnx holds, or stands in ultralytics' file beside an .xml."""
    beside = weights.with_name("metadata.yaml")
    if weights.suffix == ".xml" and beside.is_file():
        try:
            found = yaml.safe_load(beside.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            raise ValueError(f"{beside.name} beside it cannot be read") from None
        return found if isinstance(found, Mapping) else {}
    if not model.has_rt_info(["framework", "names"]):
        return {}
    return {key: str(value) for key, value in model.get_rt_info("framework").value.items()}


def _unusable(weights: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"The weights {weights} are not a detector with its class names that OpenVINO can run "
        f"({last_line(error)}); give another file"
    )


def _use_once(requests: SimpleQueue[Any], picture: Image) -> Sequence[int]:
    """Look at a picture, before several threads do; the shape of the answer.

    OpenVINO (2026.4) makes tables of types when they are first asked for: two threads that ask at
    once wait for each other, one of them with the interpreter's lock, and the process hangs.
    """
    request = requests.get()
    request.infer({0: picture[None]}, share_inputs=True)
    shape: Sequence[int] = request.get_output_tensor().data.shape
    requests.put(request)
    return shape
