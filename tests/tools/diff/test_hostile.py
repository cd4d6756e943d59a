"""What strangers write into templates, flows and settings: shown as it is, and never obeyed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.gfm import gfm_plugin

from tools.diff.markdown import LONGEST, RESERVED
from tools.diff.report import report
from tools.diff.revisions import Failure, Revision
from tools.diff.values import block, code

from .conftest import Json, stack, write

OWN = "Zq7"
"""Stands in every value that is not ours."""

TRICKS = [
    "<!-- @acme/security",
    "-->",
    "<img src=x onerror=y>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "https://evil.example",
    "www.evil.example",
    "somebody@evil.example",
    "@acme/security",
    "#1",
    "GH-1",
    "0123456789012345678901234567890123456789",
    ":smile:",
    "`",
    "``",
    "```",
    "\n```\n",
    "|",
    "\\|",
    "\\",
    "\n\n# Nothing changes",
    "\n| a | b |",
    "\r\n- [x] approved",
    "**bold** _slanted_ ~~gone~~",
    "$`x`$",
    "&lt;&#64;",
    "[^1]",
    "> [!NOTE]",
    "\u202e\u2066",
    "\u2028",
    "\ud800",
    "\x00\x1b[2J",
    " ",
]
VALUES = st.lists(st.sampled_from(TRICKS) | st.text(max_size=10), max_size=4).map(
    lambda parts: f"{''.join(parts)}{OWN}{''.join(reversed(parts))}"
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::GetAtt", "Fn::Join", "Fn::If", "Statement", "AWS", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
GITHUB = MarkdownIt("commonmark")
gfm_plugin(GITHUB)
ALLOWED = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text"),
    *("strong_open", "strong_close", "em_open", "em_close", "code_inline", "fence", "softbreak"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
    *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
    *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close"),
}


def tokens(text: str) -> Iterator[Token]:
    for each in GITHUB.parse(text):
        yield each
        yield from each.children or ()


def does_nothing(text: str) -> None:
    """No value of a stranger is anything but code, and nothing is there that we do not write."""
    found = list(tokens(text))
    assert {each.type for each in found} <= ALLOWED
    for each in found:
        if each.type != "code_inline" and each.type != "fence" and not each.children:
            assert OWN not in each.content, each
    assert all(each.isprintable() or each == "\n" for each in text)
    shown = sum(each.content.count(OWN) for each in found if each.type in ("code_inline", "fence"))
    assert shown == text.count(OWN), "a cell that a table lost"
    text.encode()


@given(VALUES)
def test_a_value_is_one_piece_of_code_and_loses_nothing_that_prints(text: str) -> None:
    (inline,) = GITHUB.parseInline(f"- {code(text)}: more")
    kinds = [each.type for each in inline.children or ()]
    assert kinds == ["text", "code_inline", "text"]
    shown = (inline.children or [])[1].content
    printed = "".join(each if each.isprintable() else "" for each in text)
    rest = iter(shown)
    assert all(each in rest for each in printed), "in its order"


@given(VALUES)
def test_lines_of_an_error_stay_in_their_block(text: str) -> None:
    assert [each.type for each in GITHUB.parse(block(text))] == ["fence"]


def written(values: list[str], number: int) -> Json:
    """A stack, its flow and its settings; every word that can be a stranger's is one."""
    word = cycle(values)
    block_ = {
        "Identifier": values[0],
        "Type": next(word),
        "Parameters": {next(word): next(word) + str(number)},
        "Transitions": {
            "NextAction": f"{next(word)}{number}",
            "Errors": [{"ErrorType": next(word), "NextAction": f"{next(word)}{number}"}],
            "Conditions": [{"Condition": next(word), "NextAction": f"{next(word)}{number}"}],
        },
    }
    content = {"Version": "2019-10-30", "StartAction": values[0], "Actions": [block_]}
    statement = {
        "Effect": "Allow",
        "Principal": {next(word): f"{next(word)}{number}"},
        "Action": next(word),
        "Resource": next(word),
        "Condition": {next(word): {next(word): next(word)}},
    }
    path = {"aws:cdk:path": f"app-dev-a/{next(word)}"}
    return stack(
        **{
            "Flow": {
                "Type": "AWS::Connect::ContactFlow",
                "Properties": {"Content": json.dumps(content)},
                "Metadata": path,
            },
            "Topic": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {"PolicyDocument": {"Statement": [statement]}},
            },
            f"{OWN}{number}{next(word)}": {"Type": next(word), "Metadata": path},
            "Same": {"Type": f"{next(word)}{number}", "Properties": {next(word): f"{number}"}},
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {
                    "RetentionInDays": 30 - number,
                    next(word): next(word) + str(number),
                },
                "Metadata": {"aws:cdk:path": f"app-dev-a/{next(word)}"},
            },
        }
    ) | {
        "Outputs": {
            next(word): {"Value": f"{number}{next(word)}", "Description": next(word)},
            "Gone": {"Value": {"Ref": "Same"}, "Description": next(word)},
        },
        "Transform": next(word) + str(number),
    }


def toml(text: str) -> str:
    plain = (each for each in text if not "\ud800" <= each <= "\udfff")
    return '"' + "".join(f"\\U{ord(each):08x}" for each in plain) + '"'


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(VALUES, min_size=3, max_size=8))
def test_nothing_that_a_stranger_wrote_acts_in_the_comment(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    base, head = (
        Revision(code(name), folder / str(number) / "sources")
        for number, name in enumerate(values[:2])
    )
    for number, revision in enumerate((base, head)):
        lines = [
            f"{toml(f'Zq7set{place}{value}')} = {toml(f'{value}{number}')}"
            for place, value in enumerate(values)
        ]
        write(revision, {"a": written(values, number), "Settings": "\n".join(lines)})
    out = {each: each.folder.parent / "out" for each in (base, head)}
    (out[base] / "settings.json").write_text(json.dumps({f"Zq7set0{values[0]}": "It matters."}))
    made = report(base, head, {each: ["dev"] for each in out}, out, [f"tools/diff/{values[0]}"])
    text = made.markdown()
    does_nothing(text)
    assert len(text) <= LONGEST - RESERVED


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a value: the list or object, and the key."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from nodes(value[key])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_templates_of_any_form_are_compared_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("form")
    base, head = (Revision(name, folder / name / "sources") for name in ("base", "head"))
    for number, revision in enumerate((base, head)):
        write(revision, {"a": written([f"{OWN}one", f"{OWN}two"], number)})
    out = {each: each.folder.parent / "out" for each in (base, head)}
    name = data.draw(st.sampled_from(["manifest.json", "app-dev-a.template.json"]))
    file = out[head] / "dev" / name
    content = json.loads(file.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        places = list(nodes(content))
        if places:
            within, key = data.draw(st.sampled_from(places))
            within[key] = data.draw(JSON_VALUES)
    file.write_text(json.dumps(content))
    try:
        does_nothing(report(base, head, {each: ["dev"] for each in out}, out).markdown())
    except Failure as problem:
        does_nothing(str(problem))


@pytest.mark.parametrize(
    "content",
    ["", "[" * 100_000, "{}", '{"artifacts": []}', "1" * 5_000, '{"artifacts": {"a": 1}}'],
    ids=["nothing", "deep", "empty", "list", "long number", "number"],
)
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    base, head = (Revision(name, tmp_path / name / "sources") for name in ("base", "head"))
    for revision in (base, head):
        write(revision, {"a": written([f"{OWN}one"], 0)})
    out = {each: each.folder.parent / "out" for each in (base, head)}
    (out[head] / "dev" / "manifest.json").write_text(content)
    asked = {each: ["dev"] for each in out}
    with pytest.raises(Failure, match="not in the form"):
        report(base, head, asked, out)


@pytest.mark.parametrize("name", ["../../../secret.json", "/etc/passwd", "dev/../x", ".hidden"])
def test_a_template_is_read_from_its_folder_only(tmp_path: Path, name: str) -> None:
    base, head = (Revision(each, tmp_path / each / "sources") for each in ("base", "head"))
    for revision in (base, head):
        write(revision, {"a": written([f"{OWN}one"], 0)})
    out = {each: each.folder.parent / "out" for each in (base, head)}
    (tmp_path / "secret.json").write_text("{}")
    file = out[head] / "dev" / "manifest.json"
    file.write_text(file.read_text().replace("app-dev-a.template.json", name))
    with pytest.raises(Failure, match="a template is not in its folder"):
        report(base, head, {each: ["dev"] for each in out}, out)
