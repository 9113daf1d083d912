"""Builds the framework's networks from the package's own YAML, and fills them from weights or from our checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import ultralytics
from trainer_sdk import InputError, Run, Unsupported
from trainer_sdk._state import load_state
from ultralytics.nn import tasks
from ultralytics.utils import YAML

from ultralytics_trainer.catalogue import PICO, Network, network_of
from ultralytics_trainer.surroundings import silence

silence()

_CLASSES = {
    "detect": tasks.DetectionModel, "segment": tasks.SegmentationModel, "pose": tasks.PoseModel, "obb": tasks.OBBModel,
    "classify": tasks.ClassificationModel, "semantic": tasks.SemanticSegmentationModel,
}  # fmt: skip


def found_network(model: str) -> Network:
    network = network_of(model)
    if network is None:
        raise Unsupported(f"the model {model} is not known", None, "unsupported.model")
    return network


def config_of(network: Network) -> dict[str, Any]:
    """The YAML's content with the scale chosen; a probe's scale is added to those of the package."""
    file = Path(ultralytics.__file__).parent / "cfg" / "models" / network.yaml
    config = dict(YAML.load(file))
    if network.scale is not None:
        if network.scale == "pico":
            config["scales"] = {**config["scales"], "pico": PICO[network.family]}
        config["scale"] = network.scale
    # A bare name: exports and checkpoints would otherwise hold this machine's folder.
    config["yaml_file"] = f"{network.id}.yaml"
    return config


def build(model: str, task: str, classes: int, keypoints: list[int] | None = None) -> Any:
    """The network with random weights, evaluation mode."""
    network = found_network(model)
    config = config_of(network)
    if network.rtdetr:
        return tasks.RTDETRDetectionModel(config, nc=classes, verbose=False).eval()
    if task == "pose":
        return tasks.PoseModel(config, nc=classes, data_kpt_shape=tuple(keypoints or (17, 3)), verbose=False).eval()
    net = _CLASSES[task](config, nc=classes, verbose=False)
    net.task = task
    return net.eval()


def weights_of(run: Run) -> Any:
    """The job's initial weights as a network or a state: a `.pt` of the framework or a checkpoint of an earlier run."""
    path = run.weights_path()
    if path is None:
        return None
    try:
        if path.is_dir() or path.suffix == ".safetensors":
            folder = path if path.is_dir() else path.parent
            return load_state(folder)["net"]
        # The framework's files are pickles; the runner checked the digest, and the sandbox holds what a pickle could do.
        net, _ = tasks.load_checkpoint(str(path))
        return net
    except InputError:
        raise
    except Exception as error:
        hint = "Give a .pt file of Ultralytics or a checkpoint of this trainer."
        raise InputError(f"the weights cannot be read: {error}"[:1500], hint, "input.weights_missing") from error


def fill(net: Any, weights: Any) -> tuple[int, int]:
    """Copies every tensor whose name and shape fit; gives how many, of how many."""
    given = weights.float().state_dict() if isinstance(weights, torch.nn.Module) else weights
    own = net.state_dict()
    fitting = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
    net.load_state_dict(fitting, strict=False)
    return len(fitting), len(own)


@dataclass
class Loaded:
    """A checkpoint ready to run: the network (evaluation mode, fp32) and how its pictures are made."""

    net: Any
    data: dict[str, Any]
    network: Network


def load_checkpoint(run: Run) -> Loaded:
    values = run.load()
    try:
        data = dict(values["data"])
        net = build(run.model, run.task, int(data["classes"]), data.get("keypoints"))
        net.load_state_dict(values["net"])
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        hint = "It was made for another model or another number of classes."
        raise InputError(f"the checkpoint does not fit {run.model}: {error}"[:1500], hint, "input.checkpoint_incompatible") from error
    network = found_network(run.model)
    names = list(run.classes)
    net.names = {index: names[index] if len(names) == data["classes"] else "item" for index in range(int(data["classes"]))}
    if hasattr(net, "end2end"):
        net.end2end = network.end_to_end
    for value in net.parameters():
        value.requires_grad_(False)
    return Loaded(net.float().eval(), data, network)


def device_of(run: Run) -> str:
    if run.device == "cuda" and not torch.cuda.is_available():
        raise Unsupported("a GPU was asked for, torch sees none", "Run it on the CPU or check the driver.", "unsupported.device")
    return "0" if run.device == "cuda" else "cpu"
