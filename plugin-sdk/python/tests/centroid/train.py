"""Nearest centroid over grey pixels: the centroids move towards the class means, a little more every epoch."""

import errno
import math
import time

from trainer_sdk import Trainer

app = Trainer.from_manifest("trainer.yaml")
SIDE = 6


def scores(centroids, x):
    near = [math.exp(-sum((a - b) ** 2 for a, b in zip(row, x))) for row in centroids]
    return [value / sum(near) for value in near]


@app.describe_models
def models():
    return [{"id": "open_one", "tasks": ["classify"]}, {"id": "open_two", "tasks": ["classify"]}]


@app.train
def fit(run):
    data = run.grey_samples("train", SIDE)
    state = run.resume()
    centroids = state.get("centroids") or [[0.5] * SIDE * SIDE for _ in run.classes]
    for key in ("epochs", "pause", "flood", "mode"):
        run.effective(key, run.config[key])
    for epoch in run.epochs(start=state.epoch):
        run.on_stop(lambda done=epoch: run.checkpoint(completed=done, centroids=centroids))
        for x, label in data:
            centroids[label] = [c + 0.1 * (v - c) for c, v in zip(centroids[label], x)]
            run.metric("train", loss=math.nan if run.config.mode == "nan" else -math.log(scores(centroids, x)[label]))
            run.safe_point()
        for _ in range(run.config.flood):
            run.metric("train", loss=float(run.step))
        end = time.monotonic() + run.config.pause
        while time.monotonic() < end:
            run.safe_point()
            time.sleep(0.01)
        if run.config.mode == "memory":
            raise MemoryError("no room")
        if run.config.mode == "disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        if run.config.mode == "bug":
            raise KeyError("bug")
        val = run.grey_samples("val", SIDE)
        top1 = sum(max(range(len(centroids)), key=scores(centroids, x).__getitem__) == y for x, y in val) / len(val)
        run.metric("val", top1=top1)
        run.checkpoint(metric=top1, centroids=centroids)


@app.evaluate
@app.predict
def infer(run):
    centroids = run.load()["centroids"]
    for image, x in run.grey_images(SIDE):
        run.prediction(image, scores=scores(centroids, x))


if __name__ == "__main__":
    app.main()
