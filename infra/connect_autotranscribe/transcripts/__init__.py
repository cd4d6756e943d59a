"""Utterances: received, stored, completed, read."""
