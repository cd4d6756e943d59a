"""Flows, flow modules and functions in a Connect instance."""
