"""The Python wrapper of export bundles (runtime/python/predict.py), loaded by path: the SDK opens model files with what users get."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ._errors import TrainerError
from ._images import ImageProblem, read_png

WRAPPERS = Path(__file__).parent / "runtime"


def wrapper() -> ModuleType:
    """Module with `open_session`, `Predictor`, `BundleError`; needs NumPy."""
    return _load("trainyard_predict", "predict.py")


def selftest() -> ModuleType:
    """Module with `compare_input`, `compare`, `compare_pixels`, `threshold_of`."""
    if "trainyard_selftest" in sys.modules:
        return sys.modules["trainyard_selftest"]
    # It asks for its neighbour as `predict`; a trainer may have a module of that name.
    own, path = sys.modules.get("predict"), list(sys.path)
    sys.modules["predict"] = wrapper()
    try:
        return _load("trainyard_selftest", "test_selftest.py")
    finally:
        sys.path[:] = path
        if own is None:
            del sys.modules["predict"]
        else:
            sys.modules["predict"] = own


def _load(name: str, file: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    path = WRAPPERS / "python" / file
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TrainerError(f"trainer_sdk/runtime/python/{file} is missing", "Vendor the SDK's folder with its runtime folder.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def rgb_of(file: Path) -> Any:
    """uint8 array of height x width x 3; Pillow where it is there, else PNG only. Raises ImageProblem."""
    import numpy

    try:
        from PIL import Image, ImageOps
    except ImportError:
        pixels = read_png(file)
        array = numpy.frombuffer(pixels.data, dtype="uint8").reshape(pixels.height, pixels.width, pixels.channels)
        return numpy.ascontiguousarray(array[:, :, :3] if pixels.channels > 2 else array[:, :, :1].repeat(3, axis=2))
    try:
        with Image.open(file) as image:
            return numpy.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageProblem(str(error)) from None
