from __future__ import annotations

import json
import random
import shutil
import struct
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any

from scene import SDK, Scene, picture, png
from trainer_sdk import ConfigError, ImageProblem, check_image, image_size, read_png
from trainer_sdk._config import check_config, greyed_keys, resolve_config
from trainer_sdk._metrics import classification_metrics
from trainer_sdk._usage import tree_usage
from trainer_sdk._validate import find_problems
from trainer_sdk._yaml import YamlError, load_yaml

REPOSITORY = SDK.parents[1]


class Yaml(unittest.TestCase):
    def test_the_real_manifests(self) -> None:
        found = [file for file in REPOSITORY.glob("trainers/*/trainer.yaml")] + [REPOSITORY / "plugin-sdk/templates/python/trainer.yaml"]
        self.assertGreater(len(found), 1)
        for file in found:
            raw = load_yaml(file.read_text(encoding="utf-8"))
            self.assertEqual(raw["apiVersion"], "trainer/v1", file)
            self.assertIsInstance(raw["version"], str)
            self.assertTrue(all(isinstance(model, dict) for model in raw["models"]), file)
            self.assertTrue(all(isinstance(word, str) for word in raw["entrypoint"]), file)

    def test_scalars(self) -> None:
        cases: dict[str, Any] = {
            "no": "no", "true": True, "~": None, "1.10": 1.1, "1.4.0": "1.4.0", "0.37e6": 370000.0, "0x1f": 31, '"1.10"': "1.10",
            "'it''s'": "it's", '"a\\n\\u00e9"': "a\né", "a: b # c": {"a": "b"}, "k: http://x#y": {"k": "http://x#y"},
            "[a, {b: 1}, [], {}]": ["a", {"b": 1}, [], {}], "a:\n- 1\n- b: 2\n  c: 3\nd:": {"a": [1, {"b": 2, "c": 3}], "d": None},
            "a: |\n  x\n  y\nb: >-\n  p\n  q\n": {"a": "x\ny\n", "b": "p q"}, "a: one\n  two": {"a": "one two"},
            "a: [1,\n  2]": {"a": [1, 2]}, "": None,
        }  # fmt: skip
        for text, value in cases.items():
            self.assertEqual(load_yaml(text), value, text)

    def test_refusals(self) -> None:
        for text in (
            "a: &x 1",
            "a: *x",
            "a: 1\na: 2",
            "a: !!str 1",
            "a: .nan",
            "<<: {a: 1}",
            "a: [1",
            'a: "x',
            "a: 1\n---\nb: 2",
            "a:\n\tb: 1",
        ):
            with self.assertRaises(YamlError, msg=text):
                load_yaml(text)


class Config(unittest.TestCase):
    SCHEMA: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2, "default": 2},
            "rate": {"type": ["number", "null"], "exclusiveMinimum": 0, "default": None},
            "pick": {"oneOf": [{"const": "a"}, {"const": 1}], "default": "a"},
            "many": {"type": "array", "items": {"type": "string", "maxLength": 2}, "maxItems": 2, "uniqueItems": True, "default": []},
            "name": {"type": "string", "pattern": "^x", "maxLength": 9, "default": "x"},
            "only": {"type": "boolean", "default": False, "x-tasks": ["detect"]},
            "inner": {"$ref": "#/$defs/inner", "default": {}},
            "grey": {"type": "number", "default": 1, "x-ui": {"when": {"pick": {"not": {"const": "a"}}}}},
        },
        "allOf": [{"if": {"properties": {"n": {"const": 8}}, "required": ["n"]}, "then": {"properties": {"rate": {"const": None}}}}],
        "$defs": {
            "inner": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"k": {"type": "integer"}},
                "dependentRequired": {"k": ["l"]},
            }
        },
    }

    def test_accepts(self) -> None:
        for values in ({}, {"n": 4, "rate": 0.1}, {"n": 4.0}, {"pick": 1}, {"many": ["a", "b"]}, {"inner": {}}, {"n": 8, "rate": None}):
            self.assertEqual(check_config(self.SCHEMA, values, "classify"), [], values)
        self.assertEqual(resolve_config(self.SCHEMA, {"n": 4}, "classify")["pick"], "a")
        self.assertNotIn("only", resolve_config(self.SCHEMA, {}, "classify"))
        self.assertIn("only", resolve_config(self.SCHEMA, {}, "detect"))

    def test_refuses_and_names_the_key(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"n": 3}, "n"), ({"n": 10}, "n"), ({"n": True}, "n"), ({"n": "2"}, "n"), ({"n": None}, "n"), ({"rate": 0}, "rate"),
            ({"rate": float("nan")}, "rate"), ({"pick": "b"}, "pick"), ({"pick": True}, "pick"), ({"many": ["a", "a"]}, "many"),
            ({"many": ["abc"]}, "many.0"), ({"name": "y"}, "name"), ({"inner": {"z": 1}}, "inner.z"), ({"inner": {"k": 1}}, "inner.l"),
            ({"n": 8, "rate": 1}, "rate"), ({"only": True}, "only"), ({"other": 1}, "other"),
        ]  # fmt: skip
        for values, key in cases:
            problems = check_config(self.SCHEMA, values, "classify")
            self.assertIn(key, [problem.key for problem in problems], values)
            with self.assertRaises(ConfigError) as caught:
                resolve_config(self.SCHEMA, values, "classify")
            self.assertIn(key.split(".")[0], caught.exception.message)
        self.assertEqual(set(greyed_keys(self.SCHEMA, {"pick": "a"}, "classify")), {"grey"})

    def test_the_real_schemas_accept_their_defaults_and_presets(self) -> None:
        for schema_file in [
            *REPOSITORY.glob("trainers/*/config.schema.json"),
            REPOSITORY / "plugin-sdk/templates/python/config.schema.json",
        ]:
            schema = json.loads(schema_file.read_text())
            manifest = load_yaml((schema_file.parent / "trainer.yaml").read_text())
            for task in manifest["tasks"]:
                self.assertTrue(all("default" in sub for sub in schema["properties"].values()))
                resolved = resolve_config(schema, {}, task["id"])
                self.assertEqual(check_config(schema, resolved, task["id"]), [], schema_file)
                for preset in json.loads((schema_file.parent / "presets.json").read_text()):
                    if task["id"] in preset.get("tasks", [task["id"]]):
                        self.assertEqual(check_config(schema, preset["values"], task["id"]), [], preset["id"])


class Images(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, data: bytes) -> Path:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.bin"
        path.write_bytes(data)
        return path

    def test_pixels(self) -> None:
        self.assertEqual(read_png(self.file(png(2, 1, b"\x00\xff"))).data, b"\x00\xff")
        self.assertEqual(read_png(self.file(png(2, 1, b"\x01\x02\x03\x04\x05\x06", 2))).data, b"\x01\x02\x03\x04\x05\x06")
        self.assertEqual(read_png(self.file(png(2, 1, b"\x12\x34\x56\x78", 0, 16))).data, b"\x12\x56")
        self.assertEqual(read_png(self.file(png(4, 1, b"\xa0", 0, 1))).data, b"\xff\x00\xff\x00")
        indexed = read_png(self.file(png(2, 1, b"\x40", 3, 2, b"\x01\x02\x03\x09\x08\x07")))
        self.assertEqual((indexed.channels, indexed.data), (3, b"\x09\x08\x07\x01\x02\x03"))
        self.assertEqual(read_png(self.file(png(2, 2, b"\x00\xff\xff\x00"))).grey(2), [0, 1, 1, 0])

    def test_filters(self) -> None:
        rng = random.Random(3)
        rows = [bytes(rng.randrange(256) for _ in range(6)) for _ in range(5)]
        raw, before = b"", bytes(6)
        for kind, row in enumerate(rows):
            raw += bytes([kind]) + bytes(self.filtered(kind, row, before))
            before = row
        data = png(2, 5, b"".join(rows), 2)
        start = data.index(b"IDAT") - 4
        packed = zlib.compress(raw)
        body = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
        end = data.index(b"IEND") - 4
        self.assertEqual(read_png(self.file(data[:start] + body + data[end:])).data, b"".join(rows))

    @staticmethod
    def filtered(kind: int, row: bytes, up: bytes) -> list[int]:
        out = []
        for i, value in enumerate(row):
            a, c = (row[i - 3], up[i - 3]) if i >= 3 else (0, 0)
            p = a + up[i] - c
            paeth = min(((abs(p - a), 0, a), (abs(p - up[i]), 1, up[i]), (abs(p - c), 2, c)))[2]
            out.append((value - (0, a, up[i], (a + up[i]) // 2, paeth)[kind]) & 255)
        return out

    def test_damage(self) -> None:
        good = picture(0, random.Random(1))
        check_image(self.file(good))
        flipped = bytearray(good)
        flipped[60] ^= 1
        for data in (good[:-20], good[:50], bytes(flipped), b"", b"hello", b"\xff\xd8\xff", b"BM", b"RIFF\0\0\0\0WEBPVP8X"):
            with self.assertRaises(ImageProblem, msg=data[:20]):
                check_image(self.file(data))

    def test_jpeg_bmp_webp_headers(self) -> None:
        frame = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 5, 7) + b"\x01\x01\x11\x00"
        jpeg = frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x12\xff\x00\x34"
        self.assertEqual(image_size(self.file(jpeg)), (7, 5))
        self.assertEqual(check_image(self.file(jpeg + b"\xff\xd9")), (7, 5))
        with self.assertRaises(ImageProblem):
            check_image(self.file(jpeg))
        bmp = b"BM" + struct.pack("<IHHI", 62, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 2, -1, 1, 24, 0, 8, 0, 0, 0, 0) + bytes(8)
        self.assertEqual(check_image(self.file(bmp)), (2, 1))
        with self.assertRaises(ImageProblem):
            check_image(self.file(bmp[:-4]))
        webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\x09\x00\x00\x03\x00\x00"
        self.assertEqual(check_image(self.file(webp)), (10, 4))


class Validation(Scene):
    def problems(self) -> list[tuple[str, str]]:
        found = find_problems(self.dataset, "imagefolder@1", True, lambda: None)
        return [(problem.code, problem.severity) for problem in found]

    def test_clean(self) -> None:
        self.assertEqual(self.problems(), [])

    def test_every_kind(self) -> None:
        def break_json(change: Any) -> list[tuple[str, str]]:
            before = (self.dataset / "dataset.json").read_text()
            self.edit_dataset(change)
            try:
                return self.problems()
            finally:
                (self.dataset / "dataset.json").write_text(before)

        def more_classes(raw: dict[str, Any]) -> None:
            raw["classes"].append({"index": 3, "name": "More", "dir": "more"})

        self.assertIn(("dataset.no_labels", "error"), break_json(more_classes))
        self.assertIn(("class_missing_in_val", "warning"), break_json(more_classes))
        self.assertIn(("dataset.class_mismatch", "error"), break_json(lambda raw: raw["classes"][1].update(index=5)))
        self.assertIn(("dataset.class_mismatch", "error"), break_json(lambda raw: raw["classes"][1].update(name="WIDE")))
        self.assertIn(("dataset.class_mismatch", "error"), break_json(lambda raw: raw["classes"].pop()))
        self.assertIn(("dataset.empty_split", "error"), break_json(lambda raw: raw["splits"].pop("val")))
        self.assertIn(("dataset.format", "error"), break_json(lambda raw: raw["splits"]["val"].update(count=99)))
        self.assertIn(("dataset.format", "error"), break_json(lambda raw: raw.update(format="coco@1")))
        self.assertIn(("dataset.no_labels", "error"), break_json(lambda raw: raw.update(classes=[])))
        self.assertIn(("dataset.missing", "error"), break_json(lambda raw: raw["splits"]["val"].update(list="none.txt")))

    def test_files(self) -> None:
        (self.dataset / "train/wide/000.png").unlink()
        (self.dataset / "train/wide/001.png").write_bytes(b"x")
        (self.dataset / "val/wide/000.png").write_bytes((self.dataset / "train/wide/002.png").read_bytes())
        with (self.dataset / "train.txt").open("a") as file:
            file.write("train/wide/003.png\n")
        self.edit_dataset(lambda raw: raw["splits"]["train"].update(count=25))
        kinds = [code for code, _ in self.problems()]
        self.assertEqual(sorted(kinds), ["dataset.corrupt_image", "dataset.format", "dataset.format", "dataset.missing"])
        (self.dataset / "val.txt").write_text("")
        self.assertIn(("dataset.empty_split", "error"), self.problems())
        (self.dataset / "val.txt").write_text("../../etc/passwd.png\n")
        self.assertIn(("dataset.format", "error"), self.problems())

    def test_at_most_200(self) -> None:
        (self.dataset / "val.txt").write_text("\n".join(f"val/wide/{number}x.png" for number in range(500)))
        self.assertEqual(len(self.problems()), 200)


class Numbers(unittest.TestCase):
    def test_classification(self) -> None:
        found = classification_metrics(["a", "b", "c"], [(0, [0, 1]), (0, [1, 0]), (1, [1, 0]), (2, [0, 1])])
        self.assertEqual(found["metrics"]["top1"], 0.5)
        self.assertEqual(found["metrics"]["top5"], 0.75)
        self.assertEqual(found["confusion"]["matrix"], [[1, 1, 0], [0, 1, 0], [1, 0, 0]])
        self.assertAlmostEqual(found["metrics"]["f1"], (0.5 + 2 / 3 + 0) / 3)

    def test_usage_of_this_process(self) -> None:
        seconds, memory = tree_usage()
        self.assertGreater(seconds, 0)
        self.assertGreater(memory, 1 << 20)


if __name__ == "__main__":
    unittest.main()
