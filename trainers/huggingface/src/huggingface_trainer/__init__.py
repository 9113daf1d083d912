"""Trains vision models of the transformers library under Trainyard's contract."""
