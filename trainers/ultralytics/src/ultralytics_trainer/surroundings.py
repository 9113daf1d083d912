"""Switches of the framework, set in code before it is imported, so that they hold on every backend (contract.md 13.1: network rows).

Offline: no connection check, no download of weights, fonts or data, no analytics, no installing of packages. Its settings and caches
live below the temporary folder, never in the user's home or the dataset.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def scratch() -> Path:
    """This process's own folder below TMPDIR."""
    folder = Path(tempfile.gettempdir()) / f"ultralytics-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare() -> None:
    settings = Path(tempfile.gettempdir()) / "ultralytics-settings"
    for name, value in {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(settings),
        "YOLO_VERBOSE": "false",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "MPLCONFIGDIR": str(settings / "matplotlib"),
        "OPENVINO_TELEMETRY_OPT_OUT": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(Path(tempfile.gettempdir()) / "inductor"),
    }.items():
        os.environ[name] = value
    settings.mkdir(parents=True, exist_ok=True)


def silence() -> None:
    """After the import: no integrations with other services, warnings only."""
    import logging

    from ultralytics.utils import LOGGER, callbacks

    LOGGER.setLevel(logging.WARNING)
    callbacks.add_integration_callbacks = lambda _instance: None
