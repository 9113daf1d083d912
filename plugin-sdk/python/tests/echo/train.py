"""Says of each image what its labels say, with falling scores: what the SDK makes of it is what is tested."""

from trainer_sdk import Trainer, read_mask

app = Trainer.from_manifest("trainer.yaml")


@app.train
def fit(run):
    run.weights_path()
    for key in run.config:
        run.effective(key, run.config[key])
    for _ in run.epochs(start=run.resume().epoch):
        for sample in run.dataset.train.samples():
            run.metric("train", loss=run.check_finite(run.config.loss))
            run.progress(run.step, run.step, "step")
        run.metric("val", **{run.eval_metric: 1.0})
        run.checkpoint(metric=1.0, blobs={"blob": bytes(run.config.blob)})


def instance(thing, score):
    found = {"class": thing.cls, "score": score, "box": thing.box}
    if thing.keypoints is not None:
        found["keypoints"] = [(x, y, v / 2) for x, y, v in thing.keypoints]
    if thing.obb is not None:
        found["obb"] = thing.obb
    if thing.polygon is not None or thing.rle is not None:
        found["mask"] = {"polygon": thing.polygon} if thing.polygon is not None else {"rle": thing.rle}
    return found


@app.evaluate
@app.predict
def infer(run):
    for image in run.images:
        if run.config.wrong:
            wrong = {"mask": [[0]]} if run.config.wrong == "mask" else {"instances": [{"class": 0, "score": 1, run.config.wrong: [1, 2]}]}
            run.prediction(image, **wrong)
        elif image.mask is not None:
            pixels = read_mask(image.mask)
            rows = [pixels.data[y * pixels.width : (y + 1) * pixels.width] for y in range(pixels.height)]
            run.prediction(image, mask=rows, ms={"pre": 0.1, "infer": 1.23456, "post": 0.2})
        else:
            # Worst first, so that the order of the file is the SDK's work.
            scores = (0.0005, 0.002, 0.3, 0.9)
            run.prediction(image, instances=[instance(thing, score) for score in scores for thing in image.objects or [NOTHING]])
    if not run.config.silent and run.job.command != "predict":
        curve = [index / 999 for index in range(1000)]
        labels = [*run.classes, "background"]
        metrics = {run.manifest.primary(run.task)[0]: 0.5, "map50": 0.75, "x/own": 1.0, "undeclared": 2.0}
        per_class = [{"index": index, "name": name, "support": 1, "ap50": 0.75} for index, name in enumerate(run.classes)]
        confusion = {"labels": labels, "matrix": [[1] * len(labels) for _ in labels]}
        run.report(metrics, per_class, confusion, curves={"pr": [{"class": 0, "x": curve, "y": curve[::-1]}]}, threshold=run.threshold)


class NOTHING:
    cls, box, keypoints, obb, polygon, rle = 0, (1, 1, 2, 2), None, None, None, None


@app.export("onnx")
def to_onnx(run, out):
    (out / "model.onnx").write_bytes(b"half")
    raise ValueError("the converter broke")


if __name__ == "__main__":
    app.main()
