"""The fixed ``event`` field of each log line that CloudWatch counts.

A counted line carries ``"event": log_events.NAME`` in ``extra``, beside the field that is counted
or compared. The metric filters read the names from this file: the words of a message may change.
"""

START_STREAMING = "start_streaming"  # with `status`
STOP_STREAMING = "stop_streaming"  # with `status`
AGENT_EVENT = "agent_event"  # with `state` and `status`
CALLS_IN_PROGRESS = "calls_in_progress"  # with `calls` and `stopped`, once a minute
UTTERANCES_STORED = "utterances_stored"  # with `utterances`
UTTERANCES_REFUSED = "utterances_refused"  # by the customer's function, with `utterances`
UTTERANCES_NOT_SCREENED = "utterances_not_screened"  # it has not decided, with `utterances`
NUMBER_NOT_REDACTED = "number_not_redacted"  # of a card or social security number
PHONE_NUMBER_NOT_REDACTED = "phone_number_not_redacted"
CONVERSATION_RECONCILED = "conversation_reconciled"  # with `recovered`
CONVERSATION_INCOMPLETE = "conversation_incomplete"
EXPORT_RUN = "export_run"  # with `daysMissing`
EXPORT_FILE_REPLACED = "export_file_replaced"  # with `feed` and `day`; not counted
CALL_NOT_TRANSCRIBED = "call_not_transcribed"  # at the first look, minutes after the call's end
ASAPP_LIMIT_REACHED = "asapp_limit_reached"
LIVE_SUBSCRIBED = "live_subscribed"  # with `viewer`, `conversationId`, `allowed`; not counted
LIVE_READ = "live_read"  # the same fields; not counted
TRANSCRIPT_READ = "transcript_read"  # the same fields; not counted
