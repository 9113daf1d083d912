"""`python -m huggingface_trainer <verb> --job DIR`."""

import sys
from pathlib import Path

# Trap (test-bed.md 2): `python -m` looks for modules in the working directory first; a folder called `datasets` there would be taken for the
# library of that name, and transformers would not load.
_SOURCE = Path(__file__).resolve().parents[1]
sys.path[:] = [place for place in sys.path if place and (Path(place).resolve() == _SOURCE or Path(place).resolve() != Path.cwd())]

from huggingface_trainer.app import app  # noqa: E402

if __name__ == "__main__":
    app.main()
