"""A call while it is spoken: for supervisors, and for its agents."""
