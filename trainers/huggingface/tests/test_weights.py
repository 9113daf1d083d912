"""Initial weights: a folder as the library saves it, one file, an earlier run's checkpoint; what does not fit is said or refused."""

from __future__ import annotations

import shutil
import unittest
from pathlib import Path
from typing import Any

import torch
from huggingface_trainer.architectures import CLASSES, config_of
from safetensors.torch import save_file
from trainer_sdk._files import digest_of
from trainer_sdk._state import load_state
from vision_scene import SMALL, VisionScene


class Weights(VisionScene):
    def given(self, model: str, family: str, classes: int) -> Path:
        """A folder as save_pretrained leaves it."""
        torch.manual_seed(3)
        net = CLASSES[family][1](config_of(model, 32, tuple(f"c{index}" for index in range(classes))))
        folder = self.root / "input/weights/given"
        shutil.rmtree(folder, ignore_errors=True)
        net.save_pretrained(folder)
        return folder

    def train(self, path: Path, task: str = "classify", **config: Any) -> tuple[int, list[dict[str, Any]]]:
        shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
        weights = {"id": "given", "path": path.relative_to(self.root).as_posix(), "sha256": digest_of(path)}
        return self.run_here("train", config={**SMALL[task], "epochs": 1, **config}, weights=weights)

    def codes(self, events: list[dict[str, Any]]) -> list[Any]:
        return [event.get("code") for event in events]

    def test_a_head_for_other_classes_starts_anew(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        folder = self.given("resnet-nano", "resnet", 7)
        before = load_whole(folder)
        code, events = self.train(folder, learning_rate=1e-7)
        self.assertEqual(code, 0, events[-1])
        self.assertIn("pretrained_head_replaced", self.codes(events))
        self.assertEqual(self.effective()["ignore_mismatched_sizes"]["source"], "default")
        net = load_state(self.root / "checkpoints" / str(self.index()["last"]))["net"]
        name = "resnet.encoder.stages.1.layers.0.layer.0.convolution.weight"
        self.assertLess(float((net[name] - before[name]).abs().max()), 1e-4)
        code, events = self.train(folder, ignore_mismatched_sizes=False)
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"))

    def test_one_file_and_an_earlier_checkpoint(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        folder = self.given("resnet-nano", "resnet", 3)
        code, events = self.train(folder / "model.safetensors")
        self.assertEqual(code, 0, events[-1])
        self.assertNotIn("pretrained_head_replaced", self.codes(events))
        entry = next(entry for entry in self.index()["history"] if entry["id"] == self.index()["last"])
        earlier = self.root / "input/weights/earlier"
        shutil.copytree(self.root / entry["path"], earlier)
        code, events = self.train(earlier)
        self.assertEqual(code, 0, events[-1])

    def test_what_does_not_fit(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        code, events = self.train(self.given("vit-tiny", "vit", 3))
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"))
        self.assertIn("vit", events[-1]["hint"])
        broken = self.root / "input/weights/broken.safetensors"
        broken.write_bytes(b"\x10\0\0\0\0\0\0\0nothing at all")
        code, events = self.train(broken)
        self.assertEqual(code, 66, events[-1])

    def test_a_loss_that_is_no_number_ends_as_diverged(self) -> None:
        self.write_scenes("classify", train=4, val=2)
        folder = self.given("resnet-nano", "resnet", 3)
        state = load_whole(folder)
        state["resnet.embedder.embedder.convolution.weight"] = torch.full_like(state["resnet.embedder.embedder.convolution.weight"], float("nan"))
        save_file(state, folder / "model.safetensors")
        code, events = self.train(folder)
        self.assertEqual((code, events[-1]["code"]), (76, "diverged.nan"))
        self.assertTrue(any(event.get("nonFinite") for event in events))


def load_whole(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


if __name__ == "__main__":
    unittest.main()
