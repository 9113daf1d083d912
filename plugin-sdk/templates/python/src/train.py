import random

from model import Net
from trainer_sdk import ExportSpec, Tensor, Trainer, draw_picture, grey_steps, read_png, softmax

app = Trainer.from_manifest("trainer.yaml")

@app.train
def fit(run):
    random.seed(run.seed)
    net = Net(run.model, len(run.classes), run.config.image_size, run.config.hidden)
    train, val = (run.grey_samples(split, net.side) for split in ("train", "val"))
    for key in run.config:
        run.effective(key, run.config[key], target=f"fit.{key}")
    seen, unseen = ([(net.edges(x), label) for x, label in part] for part in (train, val))
    for _ in run.epochs(start=run.resume(net=net).epoch):
        for edges, label in random.sample(seen, len(seen)):
            run.metric("train", loss=run.check_finite(net.learn(edges, label, run.config.learning_rate)))
        best = [max(enumerate(net.outputs(net.hidden(edges))), key=lambda pair: pair[1])[0] for edges, _ in unseen]
        top1 = sum(guess == label for guess, (_, label) in zip(best, unseen)) / len(unseen)
        run.metric("val", top1=top1)
        run.checkpoint(metric=top1, net=net, held_out=[x for x, _ in [*val, *train][:16]])

@app.evaluate
@app.predict
def infer(run):
    net = run.exported_graph() or run.load(Net)
    for image, x in run.grey_images(net.side):
        run.prediction(image, scores=softmax(net.logits(x)))

@app.export("onnx")
def to_onnx(run, out):
    net, picture = run.load(Net), draw_picture(out / "selftest" / "input.png")
    net.graph("batch" if "batch" in run.job.export["dynamic"] else 1).write(out / "model.onnx", len(run.classes))
    tensors = [Tensor((1, 1, net.side, net.side), x) for x in (*run.load()["held_out"], read_png(picture).grey(net.side))]
    checkpoint = lambda x: [Tensor((1, len(run.classes)), net.logits(x.values))]
    after = [{"op": "softmax", "axis": 1}, {"op": "topk", "k": min(5, len(run.classes))}]
    run.describe_export(ExportSpec(grey_steps(net.side), after, ["logits"], checkpoint, tensors[:-1], picture, tensors[-1]))

app.main()
