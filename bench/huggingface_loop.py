"""A plain training with transformers' Trainer: `python huggingface_loop.py SETTINGS.json`. Prints the time at the end of each epoch, one a line."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import v2
from transformers import PrinterCallback, ResNetConfig, ResNetForImageClassification, Trainer, TrainerCallback, TrainingArguments

settings = json.loads(Path(sys.argv[1]).read_text())
size, batch = settings["image_size"], settings["batch"]
normal = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])


class Folder(torch.utils.data.Dataset):
    def __init__(self, split: str, change: Any) -> None:
        self.change = v2.Compose([change, normal])
        folder = Path(settings["dataset"])
        paths = [line for line in (folder / f"{split}.txt").read_text().splitlines() if line]
        names = {name: index for index, name in enumerate(settings["classes"])}
        self.rows = [(Image.open(folder / path).convert("RGB"), names[Path(path).parent.name]) for path in paths]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image, label = self.rows[index]
        return {"pixel_values": self.change(image), "labels": label}


class Clock(TrainerCallback):
    def on_save(self, *_: Any, **__: Any) -> None:
        print(time.time(), flush=True)


config = ResNetConfig(**settings["network"], num_labels=len(settings["classes"]))
arguments = TrainingArguments(
    output_dir=str(Path(sys.argv[1]).parent / "own"), num_train_epochs=settings["epochs"], per_device_train_batch_size=batch,
    per_device_eval_batch_size=batch, learning_rate=settings["learning_rate"], logging_steps=1, eval_strategy="epoch", save_strategy="epoch",
    save_total_limit=2, report_to="none", use_cpu=True, disable_tqdm=True,
)  # fmt: skip
trainer = Trainer(
    model=ResNetForImageClassification(config), args=arguments, callbacks=[Clock],
    train_dataset=Folder("train", v2.RandomResizedCrop(size, scale=settings["rrc_scale"], antialias=True)),
    eval_dataset=Folder("val", v2.Resize((size, size), antialias=True)),
)  # fmt: skip
trainer.remove_callback(PrinterCallback)
trainer.train()
