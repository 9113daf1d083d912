"""A dataset as the framework wants it, below the temporary folder: links to the images, copies of the labels, its label cache beside them.

Rows of contract.md 13.1 closed here: label cache in the view, not in the dataset · class folders with numbers in front, all of them in
every split · images numbered in list order (the framework sorts by name) · single files are linked, never the folder `images/`: the
framework resolves it and would look for labels elsewhere · `masks_dir` always given · no `download` (no YAML is read at all).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from trainer_sdk import DatasetError, Run, Sample
from trainer_sdk._dataset import Split, label_of, safe_path

from ultralytics_trainer.surroundings import scratch


@dataclass
class View:
    """`data` is what the framework calls a checked dataset; `samples` the images of each split in list order."""

    root: Path
    data: dict[str, Any]
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def sample_of(self, split: str, file: str | Path) -> Sample:
        return self.samples[split][int(Path(file).stem)]


def build_view(run: Run, splits: Sequence[str], one_class: bool = False) -> View:
    root = scratch() / f"view-{'-'.join(splits)}"
    shutil.rmtree(root, ignore_errors=True)
    names = ["item"] if one_class and run.task != "classify" else list(run.classes)
    view = View(root, {"path": root, "names": dict(enumerate(names)), "nc": len(names), "channels": 3})
    for split in splits:
        if run.task == "classify":
            _class_folders(run, view, split)
        else:
            _images_and_labels(run, view, split)
    if run.task == "classify":
        view.data["names"] = dict(enumerate(_folders(run)))
    if run.task == "semantic":
        view.data["masks_dir"] = "masks"
    if run.task == "pose":
        view.data |= _keypoints(run)
    for split in ("train", "val", "test"):
        view.data.setdefault(split, view.data[splits[0]])
    return view


def _samples(split: Split) -> list[Sample]:
    return [Sample(image, split.root / safe_path(image)) for image in split.paths]


def _images_and_labels(run: Run, view: View, split: str) -> None:
    images = view.root / "images" / split
    labels = view.root / ("masks" if run.task == "semantic" else "labels") / split
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    part = run.dataset.split(split)
    view.samples[split] = _samples(part)
    if not view.samples[split]:
        raise DatasetError(f"the split {split} has no images", None, "dataset.empty_split")
    suffix = ".png" if run.task == "semantic" else ".txt"
    for position, sample in enumerate(view.samples[split]):
        name = f"{position:07d}"
        link(sample.path, images / f"{name}{sample.path.suffix.lower()}")
        label = part.root / label_path(part, sample.image, suffix)
        if label.is_file():
            link(label, labels / f"{name}{suffix}") if suffix == ".png" else shutil.copyfile(label, labels / f"{name}{suffix}")
    view.data[split] = str(images)


def label_path(split: Split, image: str, suffix: str) -> PurePosixPath:
    """`images/val/a.jpg` → `labels/val/a.txt`, by the folders that dataset.json names."""
    base, target = str(split.entry.get("images", "")), split.entry.get("annotations")
    pure = safe_path(image)
    if target is not None and base and pure.as_posix().startswith(f"{base.rstrip('/')}/"):
        return PurePosixPath(str(target)) / pure.relative_to(base).with_suffix(suffix)
    word = "masks" if suffix == ".png" else "labels"
    parts = [word if part == "images" else part for part in pure.parts]
    return PurePosixPath(*parts).with_suffix(suffix)


def _folders(run: Run) -> list[str]:
    return [f"{index:06d}_{re.sub(r'[^A-Za-z0-9-]', '_', name)[:40]}" for index, name in enumerate(run.classes)]


def _class_folders(run: Run, view: View, split: str) -> None:
    folders = _folders(run)
    for folder in folders:
        (view.root / split / folder).mkdir(parents=True)
    part = run.dataset.split(split)
    dirs = {entry.dir: entry.index for entry in run.dataset.classes}
    view.samples[split] = []
    for position, image in enumerate(part.paths):
        label = label_of(image, dirs)
        if label is None:
            raise DatasetError(f"{image} is in no class folder", f"Class folders: {', '.join(list(dirs)[:10])}.", "dataset.class_mismatch")
        sample = Sample(image, part.root / safe_path(image), label)
        view.samples[split].append(sample)
        link(sample.path, view.root / split / folders[label] / f"{position:07d}{sample.path.suffix.lower()}")
    if not view.samples[split]:
        raise DatasetError(f"the split {split} has no images", None, "dataset.empty_split")
    view.data[split] = view.root / split


def _keypoints(run: Run) -> dict[str, Any]:
    """The framework forces both flips to 0 without a flip index, so one is always given."""
    entry = run.dataset.raw.get("keypoints")
    if not isinstance(entry, dict) or not entry.get("names"):
        raise DatasetError("dataset.json lacks keypoints", "Pose datasets name their keypoints.", "dataset.format")
    count = len(entry["names"])
    found: dict[str, Any] = {"kpt_shape": [count, 3], "flip_idx": list(entry.get("flipIndex") or range(count))}
    if entry.get("sigmas"):
        found["kpt_oks_sigmas"] = list(entry["sigmas"])
    return found


def link(source: Path, target: Path) -> None:
    """A hard link; across file systems a link to the one file; where neither works a copy."""
    try:
        os.link(source, target)
    except OSError:
        try:
            os.symlink(source.resolve(), target)
        except OSError:
            shutil.copyfile(source, target)
