"""Trainyard's SDK for trainers in Python: standard library only, copied into the package that uses it.

app = Trainer.from_manifest("trainer.yaml")

@app.train
def fit(run): ...

if __name__ == "__main__":
    app.main()
"""

from ._app import Trainer
from ._clean import clean_onnx, clean_torchscript
from ._config import Values
from ._dataset import ClassEntry, Dataset, Sample, Split
from ._errors import (
    ConfigError,
    DatasetError,
    Diverged,
    InputError,
    OutputError,
    ResourceError,
    Stop,
    TrainerError,
    Unsupported,
    UsageError,
    VerificationError,
)
from ._export import ExportSpec
from ._graph import Graph, Tensor
from ._images import ImageProblem, Pixels, check_image, grey_steps, image_size, read_mask, read_pixels, read_png, write_png
from ._objects import Keypoints, Object, decode_rle, encode_rle
from ._plain import draw_picture, softmax
from ._problems import Problem
from ._run import ResumeState, Run
from ._vocabulary import CONTRACT_VERSION, SDK_VERSION

__version__ = SDK_VERSION
__all__ = [
    "CONTRACT_VERSION",
    "ClassEntry",
    "ConfigError",
    "Dataset",
    "DatasetError",
    "Diverged",
    "ExportSpec",
    "Graph",
    "ImageProblem",
    "InputError",
    "Keypoints",
    "Object",
    "OutputError",
    "Pixels",
    "Problem",
    "ResourceError",
    "ResumeState",
    "Run",
    "Sample",
    "Split",
    "Stop",
    "Tensor",
    "Trainer",
    "TrainerError",
    "Unsupported",
    "UsageError",
    "Values",
    "VerificationError",
    "check_image",
    "clean_onnx",
    "clean_torchscript",
    "decode_rle",
    "draw_picture",
    "encode_rle",
    "grey_steps",
    "image_size",
    "read_mask",
    "read_pixels",
    "read_png",
    "softmax",
    "write_png",
]
