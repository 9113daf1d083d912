"""Opens one exported model in a runtime that is not the trainer's and says whether it is what it claims to be.

    python check_export.py REQUEST.json      answers one line of JSON on descriptor 3

Started by runner/src/verify in a child process with limits, without network: the model is somebody else's file, and TorchScript is code.
Files are opened and answers decoded by the SDK's own wrapper (`wrapper` of the request), never by the copy in the export.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PACKAGES = {"onnx": "onnxruntime", "torchscript": "torch", "openvino": "openvino", "ncnn": "ncnn", "tflite": "ai_edge_litert"}
RUNS = 20
#: scores beside the threshold may fall on either side (contract.md 8.6)
MARGIN = 0.02


class Refuted(Exception):
    """The export is not what it claims; `check` is the id of contract.md 9.4."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check, self.reason = check, reason


class Undecided(Exception):
    """It cannot be checked here, whoever is right."""


def main() -> int:
    request: Json = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What a native library or a script prints goes nowhere: only descriptor 3 is the answer.
    answer_file = os.dup(3)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.path.insert(0, request["wrapper"])
    answer: Json = {"state": "declared", "runtime": "", "outputs": [], "inputs": 0, "agreement": None, "milliseconds": None}
    try:
        (predict_images if request["mode"] == "predict" else verify)(request, answer)
        answer["state"] = "proven"
    except Refuted as error:
        answer.update(state="refuted", check=error.check, reason=error.reason)
    except Undecided as error:
        answer.update(state="declared", reason=str(error))
    text = json.dumps(finite(answer)).encode() + b"\n"
    while text:
        text = text[os.write(answer_file, text) :]
    # Native libraries may still run threads of their own; nothing they do matters now.
    os._exit(0)


def finite(value: Any) -> Any:
    """JSON knows no infinity: null stands for it."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def opened(request: Json, answer: Json) -> Any:
    """The bundle with its model loaded."""
    import predict

    kind = request["format"]
    package = PACKAGES.get(kind)
    if package is None:
        raise Undecided(f"No checker here runs {kind}.")
    if find_spec(package) is None:
        raise Undecided(f"The checkers lack the package {package}.")
    try:
        predictor = predict.Predictor(Path(request["folder"]))
        session = predictor.session
    except MemoryError:
        raise
    except Exception as error:
        raise Refuted("export-loads", f"{package} cannot load the file: {first_line(error)}") from error
    answer["runtime"] = session.runtime
    return predictor


def first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


# --- verify ------------------------------------------------------------------------------------------------------------------------


def verify(request: Json, answer: Json) -> None:
    import numpy as np

    predictor = opened(request, answer)
    metadata, session = predictor.metadata, predictor.session
    folder = Path(request["folder"])
    if len(metadata["inputs"]) != 1:
        raise Undecided("The self-test covers models with one input only.")
    compare_names("input", session.inputs, metadata["inputs"], set())
    open_sides = {side for info in metadata["inputs"] for side in info["shape"] if isinstance(side, str)}
    inner = {side for info in metadata["outputs"] for side in info["shape"] if isinstance(side, str)} - open_sides
    compare_names("output", session.outputs, metadata["outputs"], inner)
    order = order_of(session.outputs, metadata["outputs"])
    given = load_npy(folder / "selftest" / "input.npy")
    fits("input", metadata["inputs"][0], given, "selftest/input.npy")
    expected = [load_npy(folder / "selftest" / f"output-{index}.npy") for index in range(len(metadata["outputs"]))]
    single = ran(session, given, order)
    for info, tensor in zip(metadata["outputs"], single, strict=True):
        fits("output", info, tensor, "the file's answer")
    rounds = [single]
    if "batch" in metadata["artifact"]["dynamic"]:
        half = len(given)
        both = ran(session, np.concatenate([given, given]), order)
        rounds += [[tensor[:half] for tensor in both], [tensor[half:] for tensor in both]]
    answer["inputs"] = len(rounds)
    answer["outputs"], fault = compare_outputs(metadata["outputs"], expected, rounds, request["parts"], request["sets"])
    if fault is not None:
        raise Refuted("export-parity", fault)
    agreement = Agreement(least=float(request["leastAgreement"]))
    decoded_selftest(predictor, folder, single, expected, agreement)
    expected_prediction(predictor, folder)
    if request.get("reference"):
        answer["inputs"] += compare_reference(request["reference"], predictor, agreement)
    answer["agreement"] = agreement.share()
    if not agreement.enough():
        raise Refuted("export-parity", f"Only {agreement.equal} of {agreement.total} answers are those of the checkpoint ({agreement.first}).")
    answer["milliseconds"] = median_milliseconds(session, given)


def compare_names(what: str, found: list[Json] | None, claimed: list[Json], inner: set[str]) -> None:
    """What the file says of itself against metadata.json; formats that say nothing are judged by running them. `inner`: sides that the file
    names but no input does: a runtime may work out their number when it loads the file."""
    if found is None:
        return
    if sorted(item["name"] for item in found) != sorted(item["name"] for item in claimed):
        raise Refuted("export-metadata", f"The file names the {what}s {names(found)}, metadata.json {names(claimed)}.")
    for item in found:
        told = next(entry for entry in claimed if entry["name"] == item["name"])
        if item["dtype"] != told["dtype"]:
            raise Refuted("export-metadata", f"The {what} \"{item['name']}\" is {item['dtype']} in the file, {told['dtype']} in metadata.json.")
        same = len(item["shape"]) == len(told["shape"]) and all(b in inner or side(a, b) for a, b in zip(item["shape"], told["shape"], strict=True))
        if not same:
            raise Refuted("export-metadata", f"The {what} \"{item['name']}\" has the shape {shape(item['shape'])} in the file, {shape(told['shape'])} in metadata.json.")


def side(in_file: int | str, told: int | str) -> bool:
    """A side that the file leaves open may be fixed in metadata.json: running shows whether that is true."""
    return in_file == told if isinstance(in_file, int) else True


def names(items: list[Json]) -> str:
    return ", ".join(f"\"{item['name']}\"" for item in items)


def shape(sides: Any) -> str:
    return "×".join(str(value) for value in sides)


def order_of(found: list[Json] | None, claimed: list[Json]) -> list[int] | None:
    """Where each output of metadata.json lies in the file's order."""
    if found is None:
        return None
    places = {item["name"]: index for index, item in enumerate(found)}
    return [places[item["name"]] for item in claimed]


def load_npy(file: Path) -> Any:
    import numpy as np

    try:
        # Never pickle: the file is somebody else's.
        return np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise Refuted("export-files", f"The export has no selftest/{file.name}.") from error
    except (ValueError, EOFError, OSError) as error:
        raise Refuted("export-files", f"selftest/{file.name} cannot be read: {first_line(error)}") from error


def fits(what: str, info: Json, tensor: Any, where: str) -> None:
    sides = info["shape"]
    same = len(sides) == tensor.ndim and all(not isinstance(told, int) or told == seen for told, seen in zip(sides, tensor.shape, strict=True))
    if not same:
        raise Refuted("export-metadata", f"metadata.json gives the {what} \"{info['name']}\" the shape {shape(sides)}; {where} has {shape(tensor.shape)}.")
    if str(tensor.dtype) != info["dtype"]:
        raise Refuted("export-metadata", f"metadata.json gives the {what} \"{info['name']}\" the type {info['dtype']}; {where} has {tensor.dtype}.")


def ran(session: Any, tensor: Any, order: list[int] | None) -> list[Any]:
    try:
        outputs = session.run([tensor])
    except MemoryError:
        raise
    except Exception as error:
        raise Refuted("export-loads", f"The model cannot be run on the self-test: {first_line(error)}") from error
    return outputs if order is None else [outputs[index] for index in order]


def compare_outputs(
    infos: list[Json], expected: list[Any], rounds: list[list[Any]], parts: list[list[Json]], sets: Json
) -> tuple[list[Json], str | None]:
    """Figures of each part of each output, and the first fault."""
    import numpy as np

    figures: dict[str, Json] = {}
    faults: list[str] = []
    for answers in rounds:
        if len(answers) != len(infos):
            raise Refuted("export-metadata", f"The file gives {len(answers)} outputs, metadata.json names {len(infos)}.")
        for info, got, wanted in zip(infos, answers, expected, strict=True):
            if got.shape != wanted.shape:
                raise Refuted("export-parity", f"Output \"{info['name']}\" has {shape(got.shape)} values; the self-test has {shape(wanted.shape)}.")
        wanted_all, got_all = in_one_order([tensor.astype(np.float64) for tensor in expected], [tensor.astype(np.float64) for tensor in answers], sets)
        for info, wanted, got, cuts in zip(infos, wanted_all, got_all, parts, strict=True):
            for part in cuts:
                name, tolerance = part["name"], part["tolerance"]
                apart = np.abs(taken(got, part) - taken(wanted, part))
                figure = figures.setdefault(name, {"name": name, "maxAbs": 0.0, "meanAbs": 0.0, "tolerance": tolerance})
                if not np.isfinite(apart).all():
                    faults.append(f"Output \"{name}\" holds values that are no numbers.")
                    figure["maxAbs"] = figure["meanAbs"] = math.inf
                elif apart.size:
                    most = float(apart.max())
                    figure["maxAbs"], figure["meanAbs"] = max(figure["maxAbs"], most), max(figure["meanAbs"], float(apart.mean()))
                    if tolerance is not None and most > tolerance:
                        faults.append(f"Output \"{name}\" differs by {most:.3g}; allowed is {tolerance:g}.")
            if info["semantics"] in ("logits", "probs") and not (got.argmax(-1) == wanted.argmax(-1)).all():
                faults.append(f"Output \"{info['name']}\" names another class.")
    return list(figures.values()), faults[0] if faults else None


def taken(tensor: Any, part: Json) -> Any:
    if part["axis"] is None:
        return tensor
    cut = slice(part["start"], part["end"], part["step"])
    return tensor[:, cut] if part["axis"] == 1 else tensor[..., cut]


def in_one_order(wanted: list[Any], got: list[Any], sets: Json) -> tuple[list[Any], list[Any]]:
    """Lists of candidates are sets: near-equal ones may change places, and filling rows mean nothing."""
    import numpy as np

    lists = sets["lists"]
    if not lists:
        return wanted, got
    if sets["filling"] is not None:
        for tensors in (wanted, got):
            rows = tensors[lists[0]]
            tensors[lists[0]] = np.where(rows[..., sets["filling"], None] >= 0.01, rows, 0.0)
    ordered = [tensor.copy() for tensor in got]
    for item in range(len(wanted[lists[0]])):
        a = np.concatenate([wanted[index][item] for index in lists], axis=1)
        b = np.concatenate([got[index][item] for index in lists], axis=1)
        apart = np.abs(a[:, None] - b[None]).sum(-1)
        order = apart.argmin(1)
        own = np.arange(len(order))
        # Rows that are the same, such as filling, keep their own place.
        order = np.where(apart[own, own] <= apart[own, order], own, order)
        if len(set(order.tolist())) == len(order):
            for index in lists:
                ordered[index][item] = got[index][item][order]
    return wanted, ordered


# --- agreement on the task ---------------------------------------------------------------------------------------------------------


class Agreement:
    """Equal answers of all answers: first classes, instances, pixels (contract.md 8.6)."""

    def __init__(self, least: float) -> None:
        self.least, self.equal, self.total, self.slack, self.first = least, 0, 0, 0, ""

    def add(self, equal: int, total: int, slack: int, where: str) -> None:
        self.equal, self.total, self.slack = self.equal + equal, self.total + total, max(self.slack, slack)
        if equal < total and not self.first:
            self.first = f"first: {where}"

    def enough(self) -> bool:
        """One object of the few on sixteen pictures is more than a hundredth: it may differ, seen from either side."""
        return self.equal + self.slack >= self.least * self.total

    def share(self) -> float | None:
        return None if self.total == 0 else self.equal / self.total


def decoded_selftest(predictor: Any, folder: Path, got: list[Any], expected: list[Any], agreement: Agreement) -> None:
    """The file's tensors and the checkpoint's, decoded by the same steps."""
    size = picture_size(folder)
    try:
        wanted, answer = predictor.postprocess(expected, size), predictor.postprocess(got, size)
    except Exception as error:
        raise Refuted("export-metadata", f"The postprocess list cannot be carried out: {first_line(error)}") from error
    agreement.add(*equal_answers(wanted, answer, threshold_of(predictor)), "the self-test")


def picture_size(folder: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(folder / "selftest" / "input.png") as image:
            return image.height, image.width
    except OSError as error:
        raise Refuted("export-files", f"selftest/input.png cannot be read: {first_line(error)}") from error


def threshold_of(predictor: Any) -> float:
    return max((float(op["score"]) for op in predictor.metadata["postprocess"] if op["op"] == "threshold"), default=0.0)


def expected_prediction(predictor: Any, folder: Path) -> None:
    """From the picture to the prediction, as the export's own self-test does it."""
    import test_selftest

    if not (folder / "selftest" / "expected.json").is_file():
        raise Refuted("export-files", "The export has no selftest/expected.json.")
    try:
        faults = test_selftest.check(folder)
    except Exception as error:
        raise Refuted("export-selftest", f"The self-test cannot be carried out: {first_line(error)}") from error
    if faults:
        raise Refuted("export-selftest", f"The picture of the self-test gives another prediction: {faults[0]}.")


def compare_reference(reference: Json, predictor: Any, agreement: Agreement) -> int:
    """Pictures that the checkpoint answered before."""
    import numpy as np
    from PIL import Image

    lines = reference["lines"]
    folder, beside = Path(reference["images"]), Path(reference["predictions"]).parent
    for line in lines:
        got = predicted(predictor, folder / line["image"])
        wanted = dict(line)
        if isinstance(line.get("mask"), str):
            with Image.open(beside / line["mask"]) as image:
                wanted["mask"] = np.asarray(image if image.mode in ("P", "L") else image.convert("L"))
        agreement.add(*equal_answers(wanted, got, threshold_of(predictor)), line["image"])
    return len(lines)


def predicted(predictor: Any, file: Path) -> Json:
    import predict

    try:
        rgb = predict.load_rgb(file)
    except OSError as error:
        raise Undecided(f"The picture {file.name} cannot be read: {first_line(error)}") from error
    try:
        line: Json = predictor.predict(rgb)
    except MemoryError:
        raise
    except Exception as error:
        raise Refuted("export-loads", f"The model cannot be run on {file.name}: {first_line(error)}") from error
    return line


def equal_answers(wanted: Json, got: Json, threshold: float) -> tuple[int, int, int]:
    """Equal ones, all, and how many may differ whatever the share."""
    if "classes" in wanted:
        return int(same_class(wanted["classes"], got.get("classes", []))), 1, 0
    if "mask" in wanted:
        mask = got.get("mask")
        if mask is None or mask.shape != wanted["mask"].shape:
            return 0, int(wanted["mask"].size), 0
        return int((mask == wanted["mask"]).sum()), int(mask.size), 0
    pairs = 0
    total = 0
    for these, others in ((wanted["instances"], got.get("instances", [])), (got.get("instances", []), wanted["instances"])):
        sure = [item for item in these if item["score"] >= threshold + MARGIN]
        total += len(sure)
        pairs += matched(sure, others)
    return pairs, total, 2


def same_class(wanted: list[Json], got: list[Json]) -> bool:
    """Two classes that the checkpoint itself holds for equal may change places."""
    if not wanted or not got:
        return wanted == got
    first = got[0]["class"]
    scores = {item["class"]: float(item["score"]) for item in wanted}
    return wanted[0]["class"] == first or float(wanted[0]["score"]) - scores.get(first, -1.0) <= 2e-3


def matched(these: list[Json], others: list[Json]) -> int:
    import test_selftest

    def overlap(a: Json, b: Json) -> float:
        """At least 0.95 for boxes and, as thin shapes turn, 0.9 for turned ones."""
        if a["class"] != b["class"]:
            return 0.0
        if "obb" in a and "obb" in b:
            return float(test_selftest.rotated_iou(a["obb"], b["obb"])) + 0.05
        return float(test_selftest.box_iou(a["box"], b["box"])) if "box" in a and "box" in b else 0.0

    taken: set[int] = set()
    for item in sorted(these, key=lambda entry: -float(entry["score"])):
        best = max(((overlap(item, other), index) for index, other in enumerate(others) if index not in taken), default=(0.0, -1))
        if best[0] >= 0.95:
            taken.add(best[1])
    return len(taken)


def median_milliseconds(session: Any, tensor: Any) -> float:
    session.run([tensor])
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        session.run([tensor])
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 3)


# --- predict -----------------------------------------------------------------------------------------------------------------------


def predict_images(request: Json, answer: Json) -> None:
    """predictions.jsonl (contract.md 7.3) of the listed pictures."""
    from PIL import Image

    predictor = opened(request, answer)
    if request.get("threshold") is not None:
        for op in predictor.metadata["postprocess"]:
            if op["op"] == "threshold":
                op["score"] = min(float(op["score"]), float(request["threshold"]))
    output = Path(request["output"])
    with (output / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for number, image in enumerate(request["list"], 1):
            line = predicted(predictor, Path(request["images"]) / image)
            if "mask" in line:
                (output / "masks").mkdir(exist_ok=True)
                mask = f"masks/{number:04}.png"
                Image.fromarray(line["mask"]).save(output / mask)
                line["mask"] = mask
            file.write(json.dumps({"image": image, **line}) + "\n")
    answer["inputs"] = len(request["list"])


if __name__ == "__main__":
    sys.exit(main())
