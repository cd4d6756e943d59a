"""What a function behind a REST API answers: that of API Gateway's proxy integration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST_ID = 256
"""Characters of a conversation's id that somebody may ask for."""


def json_answer(status: int, content: Mapping[str, Any]) -> dict[str, Any]:
    return _answer(status, "application/json", json.dumps(content, ensure_ascii=False))


def text_answer(status: int, text: str) -> dict[str, Any]:
    return _answer(status, "text/plain", text)


def problem_answer(status: int, problem: str) -> dict[str, Any]:
    return json_answer(status, {"error": problem})


def _answer(status: int, content_type: str, body: str) -> dict[str, Any]:
    headers = {"Content-Type": f"{content_type}; charset=utf-8", "Cache-Control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": body}
