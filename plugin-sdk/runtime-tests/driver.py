"""Runs the Python wrapper for the comparison of all wrappers: lines `predict|prepare BUNDLE IMAGE OUT` on stdin, a line of JSON for each.

OUT receives the input tensor as float32; a pixel mask is printed as a list of numbers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runtime" / "python"))
from predict import Predictor, load_rgb


def main() -> None:
    predictors: dict[str, Predictor] = {}
    for text in sys.stdin:
        verb, bundle, image, out = text.rstrip("\n").split("\t")
        if bundle not in predictors:
            predictors = {bundle: Predictor(Path(bundle))}
        predictor, rgb = predictors[bundle], load_rgb(Path(image))
        batch = predictor.preprocess(rgb)
        batch.astype("<f4").tofile(out)
        line: dict[str, Any] = {"dims": list(batch.shape), "width": rgb.shape[1], "height": rgb.shape[0]}
        if verb == "predict":
            line.update(predictor.predict(rgb))
            if "mask" in line:
                line["mask"] = line["mask"].reshape(-1).tolist()
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
