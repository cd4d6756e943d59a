"""The flow language of Amazon Connect, without AWS CDK: blocks, ready-made flows and modules, the
rules that Connect applies, and weaving transcription into a customer's flow.

``python -m connect_flows check|weave|audit`` works on flow files.
"""
