"""Fixtures of other folders. pytest looks for what a fixture needs only here and above."""

from tests.sandbox.conftest import certificates, installed, sandbox, ways_in
from tests.unit.conftest import aws, client_of, clock, secret_name, table_name, vendor

__all__ = [
    "aws",
    "certificates",
    "client_of",
    "clock",
    "installed",
    "sandbox",
    "secret_name",
    "table_name",
    "vendor",
    "ways_in",
]
