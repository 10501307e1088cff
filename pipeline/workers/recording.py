"""What is recorded of a camera: the stream that is looked at, or another one beside it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

from pipeline.blackbox import Recorder
from pipeline.config import Camera, Config
from pipeline.health import CameraState
from pipeline.protocols import PacketSink
from pipeline.sources import Clock, Reconnecting, SourceOptions
from pipeline.workers.guard import guarded_thread
from pipeline.workers.keeping import Keeping
from pipeline.workers.look import Look


class Recording:
    """Keeps a camera's packets, and what was tracked in its pictures.

    `packets` is where the stream that is looked at hands its packets to, or None where the camera
    has a stream to be recorded (`record.source`), which is read here, by the same `clock`.
    """

    def __init__(
        self,
        config: Config,
        key: str,
        skip_until: float | None,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        camera = config.cameras[key]
        address = camera.record_address()
        self._keeping = Keeping(config, key, skip_until)
        self._stream = (
            None
            if address is None
            else _RecordStream(key, camera, address, self._keeping, clock, recorder)
        )
        self.packets: PacketSink | None = self._keeping if self._stream is None else None

    def start(self) -> None:
        self._keeping.start()
        if self._stream is not None:
            self._stream.start()

    def close(self, timeout_s: float) -> None:
        """Write what waits, within so long."""
        if self._stream is not None:
            self._stream.stop()
        self._keeping.close(timeout_s)

    def log(self, look: Look) -> None:
        """Remember what was tracked in a frame."""
        self._keeping.log(look)

    @property
    def dropped(self) -> Counter[str]:
        """Cause -> packets and looks that were not kept."""
        return self._keeping.dropped

    @property
    def problem(self) -> str | None:
        """Why nothing is kept at present, a sentence."""
        return self._keeping.problem or (None if self._stream is None else self._stream.problem)


class _RecordStream:
    """Reads a camera's full stream for its packets alone.

    It has a thread and a connection of its own: neither stream waits for the other, or is gone
    because the other one is.
    """

    def __init__(
        self,
        key: str,
        camera: Camera,
        address: str,
        packets: PacketSink,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        reading = recorder.trail(key)
        self._source = Reconnecting(
            key,
            address,
            stop=threading.Event(),
            on_state=self._set_state,
            packets=packets,
            clock=clock,
            options=replace(SourceOptions.of(camera), decode=False),
            call=reading.call,
        )
        self.problem: str | None = None
        self._thread = guarded_thread(f"{key}-record", reading.followed(self._run))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; it may wait in a native call, which the end of the process ends."""
        self._source.close()

    def _run(self) -> None:
        for _ in self._source.frames():
            pass

    def _set_state(self, state: CameraState, message: str | None) -> None:
        if state is CameraState.LIVE:
            self.problem = None
        elif state is CameraState.ENDED:
            self.problem = "No video is kept: the stream to be recorded has ended."
        elif message is not None:
            self.problem = f"No video is kept, since the stream to be recorded is away. {message}"
