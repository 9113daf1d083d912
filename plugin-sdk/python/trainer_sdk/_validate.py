"""Finds all problems of a dataset of any format without a framework (contract.md 6.3); the twin of plugin-sdk/src/dataset/check-dataset.ts.

Text and headers are read whole, and every image file for its digest, its check sums and its end. Unpacking pixels costs more than a minute on
10,000 images, so it is bounded: at most `_FULL` images, spread over the list, are unpacked to the last row. Masks are unpacked until
`_MASK_SECONDS` are spent; from then on only those whose rows are cheap, and no class is called absent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ._dataset import Dataset, Sample, Split, corrupt, open_dataset
from ._errors import DatasetError
from ._images import ImageProblem, check_image, mask_pixels
from ._problems import Problem, error

MAX_PROBLEMS = 200
_FULL = 2000
_MASK_SECONDS = {True: 15.0, False: 3.0}
IGNORE = 255


def find_problems(root: Path, format_: str | None, decode: bool, safe_point: Callable[[], None], evaluate: str | None = None) -> list[Problem]:
    """At most 200 problems, errors first. `decode` also reads every image; without it only names, labels and counts are judged. With `evaluate`
    only that split is needed, and only it is read."""
    try:
        dataset = open_dataset(root, format_)
    except DatasetError as wrong:
        return [error(wrong.code, wrong.message, "dataset.json", wrong.hint)]
    return _Search(dataset, decode, safe_point, evaluate).run()


class _Search:
    def __init__(self, dataset: Dataset, decode: bool, safe_point: Callable[[], None], evaluate: str | None) -> None:
        self.dataset, self.decode, self.safe_point, self.evaluate = dataset, decode, safe_point, evaluate
        self.problems: list[Problem] = []
        self.left = _MASK_SECONDS[decode]
        self.every = 1

    def report(self, problem: Problem) -> None:
        if problem.severity == "error" or len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        # Enough is known; the rest is read only to be counted by nobody.
        if sum(entry.severity == "error" for entry in self.problems) >= MAX_PROBLEMS:
            raise _Enough

    def run(self) -> list[Problem]:
        try:
            self._all()
        except _Enough:
            pass
        self.problems.sort(key=lambda problem: problem.severity != "error")
        return self.problems[:MAX_PROBLEMS]

    def _all(self) -> None:
        splits = self.dataset.raw["splits"]
        needed = [self.evaluate] if self.evaluate is not None else ["train", "val"]
        for name in needed:
            if name not in splits:
                hint = f"Add the split {name} to dataset.json."
                self.report(error("dataset.empty_split", f"split {name} is missing", "dataset.json", hint, "/splits"))
        chosen: list[Split] = []
        for name in splits:
            if self.evaluate not in (None, name):
                continue
            split = self.dataset.split(name)
            try:
                if split.paths:
                    chosen.append(split)
                else:
                    self.report(error("dataset.empty_split", f"split {name} has no image", str(split.entry.get("list", name)), f"Add images to {name}."))
            except DatasetError as wrong:
                self.report(error(wrong.code, wrong.message, "dataset.json", wrong.hint, f"/splits/{name}/list"))
        self.every = max(1, -(-sum(len(split) for split in chosen) // _FULL))
        digests: dict[str, dict[str, str]] = {}
        for split in chosen:
            try:
                digests[split.name] = self._split(split)
            except DatasetError as wrong:
                self.report(error(wrong.code, wrong.message, None, wrong.hint))
        self._overlaps(digests)

    def _split(self, split: Split) -> dict[str, str]:
        expected = split.entry.get("count")
        if isinstance(expected, int) and expected != len(split.paths):
            message = f"split {split.name} lists {len(split.paths)} images, dataset.json says {expected}"
            self.report(error("dataset.format", message, "dataset.json", "Correct the count or the list.", f"/splits/{split.name}/count"))
        used: set[int] = set()
        whole = True
        digests: dict[str, str] = {}
        for position, sample in enumerate(split.read(self.report, sizes=self.decode)):
            self.safe_point()
            used.update([sample.label] if sample.label is not None else (thing.cls for thing in sample.objects))
            if sample.mask is not None:
                values = self._mask_values(sample, split)
                used.update(values or ())
                whole = whole and values is not None
            if self.decode:
                self._image(sample, position % self.every == 0, digests)
        if whole:
            self._absent(split.name, used)
        return digests

    def _image(self, sample: Sample, inflate: bool, digests: dict[str, str]) -> None:
        data = sample.path.read_bytes()
        try:
            check_image(sample.path, data, inflate)
        except (ImageProblem, OSError) as wrong:
            self.report(corrupt(sample.image, str(wrong)))
        digests.setdefault(hashlib.sha256(data).hexdigest(), sample.image)

    def _mask_values(self, sample: Sample, split: Split) -> set[int] | None:
        """Values of the mask; None when the time for masks is spent."""
        assert sample.mask is not None
        path = split.beside(sample.image, "masks", "png")
        try:
            mask, cost = mask_pixels(sample.mask.read_bytes(), self.left)
        except (ImageProblem, OSError) as wrong:
            hint = "Save it as an 8-bit PNG with one channel whose values are class indices."
            self.report(error("dataset.format", f"the mask of {sample.image} cannot be read: {wrong}", path, hint))
            return set()
        self.left -= cost
        if not mask.data:
            return None
        values, count = set(mask.data), len(split.classes)
        strange = {value for value in values if value >= count and value != IGNORE}
        if strange:
            at = min(mask.data.index(value) for value in strange)
            x, y = at % mask.width, at // mask.width
            message = f"the value {mask.data[at]} at x {x}, y {y} is no class (0 to {count - 1}) and not {IGNORE}"
            hint = f"Write class indices of dataset.json, and {IGNORE} where nothing is to be learnt."
            self.report(error("dataset.label_range", message, f"{path}:{y + 1}", hint))
        return values

    def _absent(self, split: str, used: set[int]) -> None:
        for entry in self.dataset.classes:
            if entry.index in used or split not in ("train", "val"):
                continue
            message, where = f"class {entry.name} has no image in {split}", f"/classes/{entry.index}"
            hint = f"Add images of it to {split} or remove it from dataset.json."
            if split == "train":
                self.report(error("dataset.no_labels", message, "dataset.json", hint, where))
            else:
                self.report(Problem("class_missing_in_val", "warning", message, hint, "dataset.json", where))

    def _overlaps(self, digests: dict[str, dict[str, str]]) -> None:
        names = list(digests)
        for position, first in enumerate(names):
            for second in names[position + 1 :]:
                for digest in sorted(digests[first].keys() & digests[second].keys(), key=digests[second].__getitem__):
                    a, b = digests[first][digest], digests[second][digest]
                    message = f"{a} in {first} and {b} in {second} are the same image"
                    self.report(error("dataset.format", message, b, "Remove it from one of the two splits."))


class _Enough(Exception):
    """200 errors are found."""

