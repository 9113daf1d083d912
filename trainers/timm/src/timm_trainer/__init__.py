"""Trains timm image classifiers under Trainyard's contract."""
