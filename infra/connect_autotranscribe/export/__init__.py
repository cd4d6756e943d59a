"""The nightly export."""
