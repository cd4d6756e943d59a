"""Looks at all flows of an instance together: what can a call go through, and what is wrong there.

It works on files, and asks AWS nothing. `connect_flows.audit.folder` says which files.
"""
