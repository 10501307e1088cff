"""Models that OpenVINO has compiled for this machine."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import yaml

from pipeline.detectors.decode import Output
from pipeline.detectors.embeddings import add_features
from pipeline.detectors.exported import Exported
from pipeline.detectors.graph import convolve_before_enlarging, feed_with_bytes, name_outputs
from pipeline.detectors.head import Ends, add_head, agrees
from pipeline.detectors.pool import last_line
from pipeline.detectors.sparse import Cut, Cutter
from pipeline.errors import ConfigError, WeightsError
from pipeline.telemetry import switch_off
from pipeline.types import Image, Size

# Not bound to cores, as OpenVINO would have it: others are at work there, too, and streams of two
# compiled models could be bound to one core while another is idle. Alone it is as fast.
ON_PROCESSOR = {"ENABLE_CPU_PINNING": False}
STREAMS_OF_CUTTER = 8
"""For how many streams of a model one thread works out distributions: it takes 1.2 ms for a picture
that a stream has for 21, and what it has compiled for itself and its buffers are 25 MB."""
COMPILED_KEPT_S = 30 * 24 * 3600
"""How long a compiled model is kept: who still needs it makes it anew in a third of a second, and
those of earlier versions, of 11 MB each, are not kept for ever."""
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}


class Compiled:
    """A compiled model that works on up to `streams` pictures at once, in the order of their
    coming; one more may wait inside, so that no stream waits for Python. Its memory is free again
    when nobody refers to it any more."""

    def __init__(self, compiled: Any) -> None:
        self.streams: int = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams + 1):
            self.requests.put(compiled.create_infer_request())
        self._ends = deque([0.0] * self.streams, maxlen=self.streams)
        self._lock = threading.Lock()

    @contextmanager
    def answer(self, picture: Image) -> Iterator[tuple[Any, float]]:
        """The request that looked at a picture, (height, width, 3), and for how many seconds one
        stream was at it. What the request holds is to be read before the end of the context."""
        request = self.requests.get()
        try:
            came = time.perf_counter()
            request.infer({0: picture[None]}, share_inputs=True, share_outputs=True)
            end = time.perf_counter()
            with self._lock:
                # As many ends ago as there are streams, the one that took this picture was free.
                began = max(came, self._ends[0])
                self._ends.append(end)
            yield request, end - began
        finally:
            self.requests.put(request)


class Compiler:
    """One model, ready to be compiled for any shape of its input.

    Its input is (1, height, width, 3) uint8, red green blue. `features` is the number of the output
    with the feature map of `embeddings`, `head` that of the first of `head.add_head`; None where
    the model has no such outputs. With a head, its own output is left out; else it is the first.
    `streams` is how many pictures are worked on at once, and `exported` says how the model is fed
    and read.

    Raises:
        WeightsError: the file is no model that OpenVINO can run, or one of an unknown form.
        ConfigError: there is no such device.
    """

    def __init__(
        self, weights: Path, cache: Path | None, device: str, *, bfloat16: bool = False
    ) -> None:
        switch_off()
        import openvino as ov

        self._core = ov.Core()
        if cache is not None:
            _forget_old(cache)
            self._core.set_property({"CACHE_DIR": str(cache)})
        self._device = _device(self._core, device)
        self._settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            **({"INFERENCE_PRECISION_HINT": "bf16"} if bfloat16 else EXACT),
            **(ON_PROCESSOR if self._device == "CPU" else {}),
        }
        try:
            model = self._core.read_model(weights)
            exported = examine(model, weights)
            self.features = 1 if add_features(model, exported.size) else None
            # Elsewhere more would leave the device than the model's own output is.
            on_processor = self._device == "CPU"
            head = add_head(model, len(exported.labels)) if on_processor else None
            self.head = None if head is None else head.first
            self._cutter: Cutter | None = None
            convolve_before_enlarging(model)
            feed_with_bytes(model)
            name_outputs(model)
            self._model = model
            self.exported, self.streams = self._tried(exported, None if head is None else head.cut)
        except (RuntimeError, ValueError) as error:
            raise unusable(weights, error) from error

    def _tried(self, exported: Exported, cut: Cut | None) -> tuple[Exported, int]:
        """Look at a picture of noise, to see of which form the model's output is, and whether its
        head may be read instead; and how many streams there are."""
        blank = exported.blank()
        noise = np.random.default_rng(0).integers(0, 256, blank.shape, np.uint8)
        size = (blank.shape[1], blank.shape[0])
        # Exact, whatever comes later: two ways to the same boxes are compared.
        exact = {**self._settings, **EXACT}
        compiled = self.compiled(size, exact)
        if cut is not None:
            self._cutter = self._compiled_cut(cut, compiled.streams, exact)
        # Before several threads do: OpenVINO (2026.4) makes tables of types when they are first
        # asked for; two threads that ask at once wait for each other, one of them with the
        # interpreter's lock, and the process hangs.
        with compiled.answer(noise) as (request, _):
            output = request.get_output_tensor(0).data
            exported = exported.tried(output.shape)
            if self.head is not None:
                agree = exported.form is Output.RAW and agrees(self.ends(request), output[0], size)
                self._keep_one_of_both(head=agree)
        if self.head is None:
            self._cutter = None
        elif cut is not None and self._settings != exact:
            self._cutter = self._compiled_cut(cut, compiled.streams, self._settings)
        return exported, compiled.streams

    def _keep_one_of_both(self, *, head: bool) -> None:
        """Leave out the model's own output, or its head's."""
        assert self.head is not None
        results = self._model.get_results()
        for result in results[:1] if head else results[self.head :]:
            self._model.remove_result(result)
        if head:
            self.features = None if self.features is None else self.features - 1
        self.head = self.head - 1 if head else None

    def _compiled_cut(self, cut: Cut, streams: int, settings: Mapping[str, Any]) -> Cutter:
        """What works out distributions beside as many streams of the model."""
        threads = math.ceil(streams / STREAMS_OF_CUTTER)
        chosen = {
            **{key: settings[key] for key in (*EXACT, *ON_PROCESSOR)},
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
            "CACHE_DIR": "",  # It is made in 50 ms.
        }
        return Cutter(cut, self._core.compile_model(cut.model, self._device, chosen), threads)

    def ends(self, request: Any) -> Ends:
        """What the head gave for a picture, to be read before the request is used again."""
        assert self.head is not None
        surest, *maps = (tensor.data[0] for tensor in request.output_tensors[self.head :])
        return Ends(surest, maps[::2], maps[1::2], self._cutter)

    def compiled(self, size: Size, settings: Mapping[str, Any] | None = None) -> Compiled:
        """The model for inputs of one (width, height) alone.

        Raises:
            RuntimeError: OpenVINO cannot.
        """
        width, height = size
        model = self._model.clone()
        model.reshape([1, height, width, 3])
        compiled = self._core.compile_model(model, self._device, settings or self._settings)
        return Compiled(compiled)


def _forget_old(cache: Path) -> None:
    """Delete models that were compiled long ago; a process that has one open keeps it."""
    for compiled in cache.glob("[0-9]*.blob"):
        with suppress(OSError):
            if time.time() - compiled.stat().st_mtime > COMPILED_KEPT_S:
                compiled.unlink()


def _device(core: Any, device: str) -> str:
    """OpenVINO's name of a device. Raises: ConfigError: there is none of that name."""
    wanted = "CPU" if device == "auto" else device.upper()
    there = core.available_devices
    if not any(wanted in (one, one.partition(".")[0]) for one in there):
        raise ConfigError(
            f"detector.device: {device} is no device that OpenVINO finds on this machine, which "
            f"has {', '.join(there).lower()}; write one of these or `auto`."
        )
    return wanted


def examine(model: Any, weights: Path) -> Exported:
    """Raises: ValueError: it is no detector of objects in one picture; says why."""
    exported = Exported.of(metadata(model, weights))
    shape = model.inputs[0].partial_shape
    if len(model.inputs) != 1 or len(shape) != 4 or not (shape[1].is_dynamic or shape[1] == 3):
        raise ValueError("its input is not one colour picture")
    kind = model.inputs[0].element_type
    if not kind.is_real():
        raise ValueError(f"its input is of {kind.get_type_name()}, not of floats 0..1")
    if len(model.outputs) != 1:
        raise ValueError(f"it has {len(model.outputs)} outputs, not one")
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


def unusable(weights: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"The weights {weights} are not a detector with its class names that OpenVINO can run "
        f"({last_line(error)}); give another file."
    )
