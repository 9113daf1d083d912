"""A plain timm training, as its documentation shows it: `python timm_loop.py SETTINGS.json`. Prints the time at the end of each epoch, one a line."""

import json
import sys
import time
from pathlib import Path

import timm
import torch
from PIL import Image
from timm.data import create_transform
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2

settings = json.loads(Path(sys.argv[1]).read_text())
torch.manual_seed(0)
size, batch = settings["image_size"], settings["batch"]
net = timm.create_model(settings["model"], num_classes=len(settings["classes"]))


class Folder(torch.utils.data.Dataset):
    def __init__(self, split: str, training: bool) -> None:
        options = {"scale": settings["scale"], "ratio": settings["ratio"], "hflip": 0.0, "color_jitter": None} if training else {"crop_pct": 1.0}
        self.change = create_transform(size, is_training=training, interpolation="bilinear", **options)
        folder = Path(settings["dataset"])
        paths = [line for line in (folder / f"{split}.txt").read_text().splitlines() if line]
        names = {name: index for index, name in enumerate(settings["classes"])}
        self.rows = [(Image.open(folder / path).convert("RGB"), names[Path(path).parent.name]) for path in paths]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = self.rows[index]
        return self.change(image), label


train = torch.utils.data.DataLoader(Folder("train", True), batch, shuffle=True)
val = torch.utils.data.DataLoader(Folder("val", False), batch)
optimizer = create_optimizer_v2(net, opt="adamw", lr=settings["learning_rate"], weight_decay=0.05)
criterion = LabelSmoothingCrossEntropy(0.0)
for _ in range(settings["epochs"]):
    net.train()
    for images, labels in train:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        loss.item()
    net.eval()
    with torch.inference_mode():
        for images, labels in val:
            net(images).argmax(1).eq(labels).sum().item()
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, Path(sys.argv[1]).parent / "last.pt")
    print(time.time(), flush=True)
