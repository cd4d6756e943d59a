"""The three stacks: they only wire."""
