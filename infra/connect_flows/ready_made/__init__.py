"""The ready-made modules and flows: they start and stop transcription.

No error branch ends a call: each one leads on with the call. If *Start media streaming* fails, the
flow does not ask for a start: the contact may still carry the stream of an earlier start, and
Connect gives streams that are no longer used to other calls.

What the customer hears from these flows is said before a start or after a stop, so that no
transcript has it as the agent's words.
"""
