"""`python -m huggingface_trainer <verb> --job DIR`."""

from huggingface_trainer.app import app

if __name__ == "__main__":
    app.main()
