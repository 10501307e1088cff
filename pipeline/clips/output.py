"""Files of video that are being written."""

from __future__ import annotations

from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import OutputContainer


class Output:
    """A container that is written to a file, which is closed whatever happens.

    FFmpeg, asked to open the file itself, leaves it open for ever where its header cannot be
    written, as on a full disk.
    """

    def __init__(self, path: Path, container_format: str, options: dict[str, str]) -> None:
        import av

        self._files = [FileIO(path, "w+b")]
        try:
            self.container: OutputContainer = av.open(
                self._files[0],
                "w",
                format=container_format,
                options=options,
                io_open=self._open,
            )
        except BaseException:
            self._close_files()
            raise

    def __enter__(self) -> OutputContainer:
        return self.container

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the end and close the file. Raises: OSError: the disk does not take it."""
        try:
            self.container.close()
        finally:
            self._close_files()

    def _open(self, url: str, flags: int, options: object) -> FileIO:
        """The file once more: `faststart` reads again what it has to move."""
        self._files.append(FileIO(url, "rb"))
        return self._files[-1]

    def _close_files(self) -> None:
        for file in self._files:
            file.close()


def new_output(path: Path) -> Output:
    """An MP4 file that plays while it is still being fetched."""
    return Output(path, "mp4", {"movflags": "faststart"})
