import math
import random

from trainer_sdk import Trainer

app = Trainer.from_manifest("trainer.yaml")

def scores(weights, x):
    powers = [math.exp(min(50, sum(w * v for w, v in zip(row, x)) + row[-1])) for row in weights]
    return [power / sum(powers) for power in powers]

@app.train
def fit(run):
    random.seed(run.seed)
    train, val = (run.grey_samples(split, run.config.image_size) for split in ("train", "val"))
    state = run.resume()
    weights = state.get("weights") or [[0.0] * (run.config.image_size**2 + 1) for _ in run.classes]
    for key in run.config:
        run.effective(key, run.config[key], target=f"fit.{key}")
    for _ in run.epochs(start=state.epoch):
        for x, label in random.sample(train, len(train)):
            guess = scores(weights, x)
            for index, row in enumerate(weights):
                change = run.config.learning_rate * (guess[index] - (index == label))
                weights[index] = [w - change * v for w, v in zip(row, [*x, 1.0])]
            run.metric("train", loss=-math.log(max(guess[label], 1e-9)))
        right = sum(max(range(len(weights)), key=scores(weights, x).__getitem__) == label for x, label in val)
        run.metric("val", top1=right / len(val))
        run.checkpoint(metric=right / len(val), weights=weights)

@app.evaluate
@app.predict
def infer(run):
    weights = run.load()["weights"]
    for image, x in run.grey_images(run.config.image_size):
        run.prediction(image, scores=scores(weights, x))

if __name__ == "__main__":
    app.main()
