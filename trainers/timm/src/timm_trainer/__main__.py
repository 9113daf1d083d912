"""`python -m timm_trainer <verb> --job DIR`."""

from timm_trainer.app import app

if __name__ == "__main__":
    app.main()
