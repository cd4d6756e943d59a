"""Call audio: who may read it, and the instance's setting that streams it."""
