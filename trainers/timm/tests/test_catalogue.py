"""What the trainer says about the library, compared with the library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest

import torch
from PIL import Image
from test_timm import PACKAGE, SOURCE
from timm_trainer.app import app
from timm_trainer.catalog import architectures, listed_models
from timm_trainer.images import eval_transform, preprocess_ops


class Catalogue(unittest.TestCase):
    def test_the_list_is_the_library_s(self) -> None:
        import timm
        from timm.models import get_pretrained_cfg

        self.assertEqual(list(architectures()), timm.list_models())
        # contract.md 3.3: what a hub takes of describe.
        self.assertLessEqual(len(listed_models()), 5000)
        self.assertLess(len(json.dumps(listed_models())), 2 * 1024 * 1024)
        for name in ("resnet18", "vit_tiny_patch16_224", "test_resnet"):
            cfg = get_pretrained_cfg(name)
            self.assertEqual((architectures()[name].size, architectures()[name].fixed), (cfg.input_size[-1], cfg.fixed_input_size))
        self.assertEqual(timm.__version__, app.manifest.raw["framework"]["version"])
        for model in app.manifest.raw["models"]:
            if "id" in model:
                self.assertEqual(model["input"]["default"], architectures()[model["id"]].size, model["id"])

    def test_parameters_of_the_curated_models(self) -> None:
        import timm

        for model in app.manifest.raw["models"]:
            if "id" in model:
                with torch.device("meta"):
                    net = timm.create_model(model["id"])
                count = sum(value.numel() for value in net.parameters())
                self.assertLess(abs(count - model["params"]) / count, 0.1, f"{model['id']}: {count}")

    def test_package_and_manifest_agree(self) -> None:
        package = json.loads((PACKAGE / "package.json").read_text())
        self.assertEqual((package["version"], package["name"]), (app.manifest.version, app.manifest.name))
        self.assertIn(f"## {app.manifest.version}\n", (PACKAGE / "CHANGELOG.md").read_text())

    def test_describe_imports_no_framework(self) -> None:
        code = "import sys, timm_trainer.app; print([name for name in ('torch', 'timm', 'numpy', 'PIL') if name in sys.modules])"
        out = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
        )
        self.assertEqual(out.stdout.strip(), "[]")

    def test_squash_and_crop_are_described(self) -> None:
        data = {"size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "squash"}
        self.assertEqual(preprocess_ops(data)[1]["mode"], "stretch")
        self.assertEqual(tuple(eval_transform(data)(Image.new("RGB", (70, 30))).shape), (3, 32, 32))


if __name__ == "__main__":
    unittest.main()
