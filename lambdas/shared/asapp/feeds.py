"""The feeds of ASAPP's File Exporter that are exported, and what their columns may be called.

Each feed's files are in the bucket under ``<feed>/dt=2026-11-23/``. The functions import these
names; the templates, with the SQL over the bucket, read them from this file.
"""

UTTERANCES, STATE = "utterances", "staging_utterance_state"
"""What was said, and who said it."""

DAY_MARKS = "days/"
"""Beside them: an empty object ``days/<mark>/2026-11-23`` for what the export knows of a day, and
one for each file that it has stored once, below :data:`TAKEN_FILES`."""
TAKEN_FILES = "days/taken/"

COLUMNS: dict[str, tuple[str, ...]] = {
    "conversation": ("external_conversation_id", "externalConversationId"),
    "id": ("message_id", "utterance_id", "messageId", "utteranceId"),
    "role": ("sender_role", "role", "sender_type", "participant_role", "speaker"),
    "sender": ("sender_id", "senderId", "participant_id"),
    "text": ("utterance", "utterance_text", "text", "message"),
    "time": (
        *("utterance_start_ts", "start_ts", "clientTimestamp", "timestamp"),
        *("utterance_end_ts", "end_ts", "created_ts", "chat_message_event_ts", "instance_ts"),
    ),
}
"""The names of each field, in which ASAPP's accounts differ. The first that a line has counts."""
