"""What a resume needs, as tensors and JSON: nothing here is a pickle, and nothing is rounded to half precision as the framework's own
checkpoints are, so that a resumed run goes on exactly (with one batch per step, on a CPU)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trainer_sdk import InputError, Run
from trainer_sdk._rng import restore_rng
from trainer_sdk._state import load_state
from ultralytics.utils.torch_utils import ModelEMA, unwrap_model


class TrainingState:
    """Writes and restores the state of the framework's trainer; one per attempt."""

    def __init__(self, run: Run, trainer: Any) -> None:
        self.run, self.trainer = run, trainer
        self.spent = 0.0
        self.began = time.monotonic()
        self.start = {key: value.clone() for key, value in unwrap_model(trainer.model).state_dict().items()}

    def last_folder(self) -> Path | None:
        last = self.run.store.last
        entry = self.run.store.find(last) if last is not None else None
        return self.run.store.folder / entry["id"] if entry is not None and entry["epoch"] > 0 else None

    def save(self, metric: float | None, epoch: int, periodic: bool) -> None:
        """After a complete epoch. `net` is the averaged network, the one that was judged; `raw` the one being trained."""
        trainer = self.trainer
        dataset = trainer.train_loader.dataset
        state: dict[str, Any] = {
            "net": trainer.ema.ema.state_dict(), "raw": unwrap_model(trainer.model).state_dict(),
            "optimizer": trainer.optimizer.state_dict(), "scaler": trainer.scaler.state_dict(), "data": self._data(),
            "loader": {"buffer": [int(at) for at in getattr(dataset, "buffer", [])]},
            "loop": {
                "updates": int(trainer.ema.updates), "best_fitness": _number(trainer.best_fitness),
                "stopper": {"best_fitness": _number(trainer.stopper.best_fitness), "best_epoch": int(trainer.stopper.best_epoch)},
                "epochs": int(trainer.epochs), "seconds": self.spent + time.monotonic() - self.began,
            },
        }  # fmt: skip
        self.run.checkpoint(metric=metric, completed=epoch, periodic=periodic, blobs=trainer.pictures, **state)

    def save_start(self) -> None:
        """The network before the first step: resuming from it repeats the run from its seed."""
        self.run.step = 0
        self.run.checkpoint(metric=None, completed=0, blobs=self.trainer.pictures, net=self.start, data=self._data())

    def _data(self) -> dict[str, Any]:
        trainer = self.trainer
        shape = trainer.data.get("kpt_shape")
        return {
            "classes": int(trainer.data["nc"]), "size": int(trainer.args.imgsz), "keypoints": list(shape) if shape else None,
            "batch": int(trainer.batch_size), "iou": float(trainer.args.iou), "max_det": int(trainer.args.max_det),
            "single_cls": bool(trainer.args.single_cls), "overlap_mask": bool(trainer.args.overlap_mask),
            "mask_ratio": int(trainer.args.mask_ratio),
        }  # fmt: skip

    def resume(self) -> None:
        folder = self.run.resume_folder()
        if folder is None:
            return
        self.run.step = int(self.run.resumed_from["step"])
        if int(self.run.resumed_from["epoch"]) == 0:
            return
        epoch = self.restore(folder, generators=True)
        trainer = self.trainer
        trainer.start_epoch = epoch
        trainer.scheduler.last_epoch = epoch - 1

    def restore(self, folder: Path, generators: bool) -> int:
        """Fills the trainer from a checkpoint; gives the epochs done."""
        trainer, values = self.trainer, load_state(folder)
        try:
            model = unwrap_model(trainer.model)
            model.load_state_dict(values["raw"])
            # A fresh average: validation leaves tensors in the old one that may not be written to.
            trainer.ema = ModelEMA(trainer.model)
            trainer.ema.ema.load_state_dict(values["net"])
            trainer.optimizer.load_state_dict(values["optimizer"])
            if values.get("scaler"):
                trainer.scaler.load_state_dict(values["scaler"])
            loop, loader = values["loop"], values["loader"]
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(f"the checkpoint does not fit: {error}"[:1500], "Start the run anew.", "input.checkpoint_incompatible") from error
        trainer.ema.updates = int(loop["updates"])
        trainer.best_fitness = loop["best_fitness"]
        trainer.stopper.best_fitness = loop["stopper"]["best_fitness"]
        trainer.stopper.best_epoch = int(loop["stopper"]["best_epoch"])
        epoch = _epoch_of(folder)
        if generators:
            self.spent = float(loop["seconds"])
            if trainer.args.time:
                trainer.epochs = trainer.args.epochs = int(loop["epochs"])
                trainer._setup_scheduler()
            self._head_losses(model, epoch)
            self._recent_images(loader["buffer"])
            restore_rng(values.get("rng"))
        return epoch

    def _head_losses(self, model: Any, epoch: int) -> None:
        """YOLO26 weighs its two heads by the epochs done."""
        if hasattr(model, "model") and getattr(model.model[-1], "one2one_cv2", None) is not None:
            model.criterion = model.init_criterion()
            model.criterion.updates = epoch - 1
            model.criterion.update()

    def begin_epoch(self, epoch: int) -> None:
        """The order of the images depends on seed and epoch alone: the framework's one long stream could not be entered in the middle."""
        loader = self.trainer.train_loader
        if loader.num_workers == 0:
            loader.iterator = None
            loader.generator.manual_seed(self.run.seed * 1_000_003 + epoch)

    def _recent_images(self, saved: list[int]) -> None:
        """Mosaic draws from the images read last."""
        for position in saved:
            self.trainer.train_loader.dataset.load_image(position)


def _epoch_of(folder: Path) -> int:
    from trainer_sdk._run import read_origin

    return int(read_origin(folder)["epoch"])


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
