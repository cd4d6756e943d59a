"""The API reference: built without a warning, a whole page for each construct, readable offline."""

from __future__ import annotations

import ast
import inspect
import re
from contextlib import redirect_stderr, redirect_stdout
from html import unescape
from io import StringIO
from pathlib import Path
from pkgutil import walk_packages

import pytest
from constructs import Construct

import connect_autotranscribe
import connect_flows
from tests.infra.conftest import ROOT
from tools.reference.created import Created, Json, Link, Permission, Thing
from tools.reference.examples import call_in, docstring, example_of, find
from tools.reference.picture import draw

CONSTRUCTS = [
    name
    for name in connect_autotranscribe.__all__
    if issubclass(getattr(connect_autotranscribe, name), Construct)
]


pytestmark = pytest.mark.filterwarnings("ignore:'myst_parser")  # of what Sphinx 11 removes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make docs`` builds; in this process, where aws-cdk-lib is loaded already."""
    from tools.reference.__main__ import main as build  # Sphinx takes a second

    folder, said = tmp_path_factory.mktemp("site"), StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = build(folder)
    assert (said.getvalue(), code) == ("", 0)
    return folder


def text(html: str) -> str:
    """What a reader sees; white space does not count."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def code(file: Path) -> str:
    """A file without its module's docstring, which only its reader in the repository needs."""
    source = file.read_text("utf-8")
    docstring, *_ = ast.parse(source).body
    return " ".join("\n".join(source.splitlines()[docstring.end_lineno :]).split())


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_has_a_page_with_a_call_a_picture_permissions_and_defaults(
    name: str, site: Path
) -> None:
    html = (site / "constructs" / f"{name}.html").read_text("utf-8")
    seen = text(html)
    call, what, permissions, arguments, example, ids = (
        html.index(heading)
        for heading in (
            f"<h1>{name}<",
            "<h2>What it creates<",
            "<h2>Who may do what<",
            "<h2>Arguments, defaults and attributes<",
            "<h2>In a whole stack<",
            "<h2>Construct ids",
        )
    )
    assert call < what < permissions < arguments < example < ids
    assert " ".join(call_in(docstring(name))) in text(html[call:what])
    assert code(example_of(name)) in text(html[example:ids])
    (image,) = re.findall(r'<img [^>]*src="([^"]+)"', html[what:permissions])
    picture = (site / "constructs" / image).read_text("utf-8")
    assert f"<title>{name}</title>" in picture
    assert "<rect" in picture
    assert "<table" in html[permissions:arguments] or "It grants nothing." in seen
    assert "Parameters" in text(html[arguments:ids])


def test_a_page_tells_what_its_construct_is_granted(site: Path) -> None:
    html = (site / "constructs" / "KinesisVideoReadRole.html").read_text("utf-8")
    rows = [text(row) for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL)]
    assert (
        "Role kinesisvideo:DescribeStreamkinesisvideo:GetDataEndpointkinesisvideo:GetMedia "
        "arn:aws:kinesisvideo:eu-central-1:111122223333:stream/acme-connect-acme-contact-*/*"
    ) in rows


def required_arguments(name: str) -> dict[str, bool]:
    """Each argument of a construct, and whether Python refuses a call without it."""
    of_init = inspect.signature(getattr(connect_autotranscribe, name).__init__)
    return {
        each.name: each.default is each.empty
        for each in of_init.parameters.values()
        if each.kind is each.KEYWORD_ONLY
    }


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_page_says_which_arguments_are_required(name: str, site: Path) -> None:
    html = (site / "constructs" / f"{name}.html").read_text("utf-8")
    arguments = html[html.index("<h2>Arguments, defaults and attributes<") :]
    found = re.findall(r"<strong>(\w+)</strong>(.*?)(?:</li>|</p>)", arguments, re.DOTALL)
    # Backwards: the first of a name is the construct's, the others are those of its methods.
    said = {each: "<strong>Required.</strong>" in what for each, what in reversed(found)}
    expected = required_arguments(name)
    assert {argument: said.get(argument) for argument in expected} == expected


def test_the_front_page_leads_to_every_construct(site: Path) -> None:
    html = (site / "index.html").read_text("utf-8")
    body = html[html.index('role="main"') : html.index("</article>")]
    linked = set(re.findall(r'href="constructs/(\w+)\.html"', body))
    assert linked == set(CONSTRUCTS)


def test_every_guide_and_decision_is_a_page_that_the_sidebar_names(site: Path) -> None:
    guides = ROOT / "docs"
    html = (site / "index.html").read_text("utf-8")
    for file in (*guides.glob("*.md"), *guides.glob("decisions/*.md")):
        page = f"guides/{file.relative_to(guides).with_suffix('.html').as_posix()}"
        assert f'href="{page}"' in html
        assert (site / page).is_file()


def test_the_flow_language_has_a_page_with_all_modules_that_others_import(site: Path) -> None:
    html = (site / "flows.html").read_text("utf-8")
    every = {each.name for each in walk_packages(connect_flows.__path__, "connect_flows.")}
    ours = ("__main__", "audit", "pictures", "references")
    names = {each for each in every if each.split(".")[1] not in ours}
    assert {name for name in every if f'id="module-{name}"' in html} == names


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for file in site.rglob("*.html"):
        fetched = re.findall(r'<(?:script|img|link)[^>]*?(?:src|href)="(\w+:)?//', file.read_text())
        assert not fetched, file.name


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_the_call_in_a_docstring_is_that_of_the_example(name: str) -> None:
    call = call_in(docstring(name))
    assert call, "end the docstring with a call to paste"
    file = example_of(name)
    assert find(call, file.read_text("utf-8")), f"{file.name} has another call than the docstring"


def in_stack(**resources: Json) -> Created:
    for id, resource in resources.items():
        resource["Metadata"] = {"aws:cdk:path": f"Stack/Ours/{id}/Resource"}
    return Created({"Resources": resources}, "Stack/Ours", stack="Stack", exports={})


def test_a_type_that_nobody_says_how_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"say in .* how to draw AWS::Moon::Base"):
        in_stack(Base={"Type": "AWS::Moon::Base"})


def test_a_function_is_drawn_with_what_its_role_lets_it_reach() -> None:
    created = in_stack(
        Role={"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        Function={
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
        Table={"Type": "AWS::DynamoDB::Table"},
        Policy={
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "dynamodb:GetItem",
                            "Resource": {"Fn::GetAtt": ["Table", "Arn"]},
                        }
                    ]
                },
            },
        },
    )
    function, table = Thing("Function", "function"), Thing("Table", "table")
    assert created.things == [function, table]
    assert created.links == [Link(function, table)]
    assert created.permissions == [Permission("Function", ("dynamodb:GetItem",), ("Table",))]
    picture = draw("Ours", created.things, created.links)
    assert picture.count('marker-end="url(#works)"') == 1
    assert picture == draw("Ours", created.things, created.links)
