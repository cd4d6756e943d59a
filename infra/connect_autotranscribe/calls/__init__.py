"""Starting and stopping transcription, by flows and by events."""
