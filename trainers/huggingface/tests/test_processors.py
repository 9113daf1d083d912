"""The operation lists, carried out by the wrapper that users get, give what the library's processors give."""

from __future__ import annotations

import unittest

import numpy
from PIL import Image
from trainer_sdk._wrapper import wrapper
from vision_scene import SOURCE

from huggingface_trainer.processors import input_size, make_processor, preprocess_ops, restore_processor, saved_processor

_CASES = [("stretch", 64, "classify"), ("stretch", 160, "detect"), ("stretch", 96, "semantic"), ("crop", 28, "classify"),
          ("shrink", 32, "classify"), ("shrink", 400, "classify"), ("flipped", 64, "classify")]  # fmt: skip


class Processors(unittest.TestCase):
    def test_the_operations_give_the_same_tensor(self) -> None:
        self.assertTrue(SOURCE.is_dir())
        random, module = numpy.random.default_rng(0), wrapper()
        for kind, size, task in _CASES:
            processor = restore_processor(saved_processor(kind, make_processor(kind, size, task)))
            self.assertEqual(input_size(processor), size)
            for width, height in ((41, 37), (100, 63), (90, 30)):
                with self.subTest(kind=kind, size=size, image=(width, height)):
                    coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype="uint8"))
                    image = coarse.resize((width, height), Image.Resampling.BICUBIC)
                    wanted = processor(images=[image], return_tensors="pt")["pixel_values"].numpy()
                    predictor = module.Predictor.__new__(module.Predictor)
                    shape = {"name": "images", "dtype": "float32", "shape": [1, 3, size, size], "layout": "NCHW"}
                    predictor.metadata = {"preprocess": preprocess_ops(processor), "inputs": [shape]}
                    got = predictor.preprocess(numpy.asarray(image))
                    scale = 255 * (min(processor.image_std) if processor.do_normalize else 1)
                    delta = numpy.abs(wanted - got) * scale
                    self.assertLessEqual(float(delta.mean()), 0.5)
                    self.assertLessEqual(float(delta.max()), 2.01)


if __name__ == "__main__":
    unittest.main()
