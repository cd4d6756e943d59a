"""What boto3's exceptions say, in words that may be logged."""

from __future__ import annotations


def error_code(problem: Exception) -> str:
    """The service's error code, such as ``ThrottlingException``, or the exception's own name.

    The message of such an exception may repeat what was sent; its code never does.
    """
    response = getattr(problem, "response", None) or {}  # botocore's time-outs have one: None
    return str(response.get("Error", {}).get("Code") or type(problem).__name__)
