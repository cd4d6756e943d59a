"""Receiving, storing, completing and reading utterances."""
