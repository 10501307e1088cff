"""The public interface is the listed names, and importing the package costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from running import ROOT

import pipeline


def test_every_listed_name_is_there_and_no_other() -> None:
    assert sorted(pipeline.__all__) == sorted(pipeline._HOMES)
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__name__ == name
    assert dir(pipeline) == pipeline.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pipeline.nonsense


def test_importing_the_package_imports_nothing_heavy_and_touches_no_logging() -> None:
    code = (
        "import logging, signal, sys; import pipeline; import pipeline.library\n"
        "heavy = {'openvino', 'torch', 'transformers', 'cv2', 'av', 'supervision'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert not logging.getLogger().handlers\n"
        "assert not logging.getLogger('pipeline').handlers\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_every_error_is_a_vigil_error_with_an_exit_status() -> None:
    for name in pipeline.__all__:
        found = getattr(pipeline, name)
        if isinstance(found, type) and issubclass(found, Exception):
            assert issubclass(found, pipeline.VigilError)
            assert found.exit_status == (2 if found is pipeline.ConfigError else 1)
