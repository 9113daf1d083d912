"""Which network a model id means: the package's own YAML, a scale, a task. No framework here."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Suffix of a model id and of the YAML's name, by task.
SUFFIX = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb", "classify": "-cls", "semantic": "-sem"}
_FOLDER = {"yolov8": "v8", "yolo11": "11", "yolo12": "12", "yolo26": "26"}
#: [depth, width, most channels] of the probes, which are added to the YAML when it is read.
PICO = {"yolov8": [0.33, 0.125, 512], "yolo26": [0.50, 0.125, 1024]}
_ID = re.compile(r"^(yolov8|yolo11|yolo12|yolo26)-?(pico|n|s|m|l|x)(-seg|-pose|-obb|-cls|-sem)?$")


@dataclass(frozen=True)
class Network:
    """`yaml` is the path below the package's cfg/models; `end_to_end` heads need no NMS."""

    id: str
    family: str
    yaml: str
    scale: str | None
    end_to_end: bool

    @property
    def rtdetr(self) -> bool:
        return self.family == "rtdetr"


def network_of(model: str) -> Network | None:
    """None for an id that names nothing here."""
    if model.startswith("rtdetr-"):
        return Network(model, "rtdetr", f"rt-detr/{model}.yaml", None, False)
    found = _ID.match(model)
    if found is None:
        return None
    family, scale, suffix = found.group(1), found.group(2), found.group(3) or ""
    return Network(model, family, f"{_FOLDER[family]}/{family}{suffix}.yaml", scale, family == "yolo26" and suffix not in ("-cls", "-sem"))
