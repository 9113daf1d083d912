"""Trains Ultralytics' YOLO and RT-DETR models under Trainyard's contract."""
