"""AWS CDK constructs that put ASAPP AutoTranscribe on Amazon Connect."""
