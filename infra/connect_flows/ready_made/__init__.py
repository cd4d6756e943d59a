"""The ready-made modules and flows: they start and stop transcription.

No error branch ends a call: after an error, the call goes on. If *Start media streaming* fails, the
flow does not start transcription: the contact may still have the stream of an earlier start, and
Connect gives streams that are no longer used to other calls.

Prompts for the customer play before a start or after a stop. Otherwise the transcript would have
them as the agent's words.
"""
