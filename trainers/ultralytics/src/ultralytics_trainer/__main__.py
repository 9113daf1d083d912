"""`python -m ultralytics_trainer <verb> --job DIR`."""

from ultralytics_trainer.app import app

app.main()
