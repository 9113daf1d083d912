"""Resizes pictures with the wrapper and with Pillow; prints mean and largest difference of 255 as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime" / "python"))
from predict import load_rgb, resize

KINDS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
rows = []
for name in sys.argv[1:]:
    rgb = load_rgb(Path(name))
    for width, height in ((128, 97), (41, 57), (320, 200)):
        for kind, theirs in KINDS.items():
            wanted = np.asarray(Image.fromarray(rgb).resize((width, height), theirs)).astype(float)
            steps = np.abs(resize(rgb, height, width, kind, True) - wanted)
            rows.append({"kind": kind, "size": [width, height], "mean": float(steps.mean()), "most": float(steps.max())})
print(json.dumps(rows))
