"""Rules: what a setting accepts, and what to write instead. Each field has its own rule."""

import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass
from typing import Any, Literal, get_args, get_origin

TYPES = {str: "a string", int: "an integer", bool: "a boolean", float: "a float"}
TYPES |= {list: "an array", tuple: "an array", dict: "a table"}


def _never(value: object) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a setting accepts.

    :param type: The type of TOML, with its article.
    :param accepts: Whether a value of that type is accepted; any truth value.
    :param remedy: What to write instead, to follow "write".
    :param each: The rule of an array's items.
    :param hides: Whether a wrong value may hold a secret and must not be shown.
    """

    type: str
    accepts: Callable[[Any], object]
    remedy: str
    each: "Rule | None" = None
    hides: Callable[[Any], object] = _never


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Marks a setting whose change needs a decision: ``make diff`` says it first.

    :param means: What a change means, in one sentence.
    """

    means: str


def sensitivity_of(field: Field[Any]) -> str | None:
    """What a change of a record's field means, if the field is marked."""
    marks = getattr(field.type, "__metadata__", ())
    return next((mark.means for mark in marks if isinstance(mark, Sensitive)), None)


def rule_of(field: Field[Any]) -> Rule:
    """The rule of a record's field: the annotated one, or the one that its type says."""
    of_type: Any = field.type
    marks = getattr(of_type, "__metadata__", ())
    for mark in marks:
        if isinstance(mark, Rule):
            return mark
    if marks:
        of_type = of_type.__origin__
    if get_origin(of_type) is Literal:
        return choice(*get_args(of_type))
    if of_type is bool:
        return choice(True, False)
    raise TypeError(f"{field.name} has no rule")


def fault_of(value: Any, rule: Rule, other: str = "a date or time") -> str | None:
    """What is wrong with a value by itself, and what to write instead.

    :param other: What a value is that has no type of TOML.
    """
    if (found := TYPES.get(type(value), other)) != rule.type:
        return f"is {found}, not {rule.type}; write {rule.remedy}"
    wrong = [item for item in value if not rule.each.accepts(item)] if rule.each else []
    if not wrong and rule.accepts(value):
        return None
    remedy = rule.each.remedy if rule.each and wrong else rule.remedy
    return f"{_shown(rule, wrong or [value])} is not accepted; write {remedy}"


def _shown(rule: Rule, wrong: list[Any]) -> str:
    if any(rule.hides(value) for value in wrong):
        return "the value (not shown, because it may be a secret)"
    shown = ", ".join(json.dumps(value, default=str) for value in wrong)
    return shown if len(shown) <= 500 else "the value"


def text(pattern: str, remedy: str, hides: Callable[[Any], object] = _never) -> Rule:
    fits = re.compile(pattern, re.ASCII).fullmatch
    return Rule(
        type="a string",
        accepts=lambda value: isinstance(value, str) and fits(value),
        remedy=remedy,
        hides=hides,
    )


def arn(form: str) -> Rule:
    """An ARN, from its form after the partition, like ``sns:<region>:<account>:<topic>``."""
    pattern = re.sub("<(.+?)>", lambda part: _PARTS[part[1]], f"arn:<partition>:{form}")
    return text(pattern, f'"arn:<partition>:{form}"')


def number(low: int, high: float, remedy: str) -> Rule:
    return Rule(type="an integer", accepts=lambda value: low <= value <= high, remedy=remedy)


def one_or_more(*, like: int) -> Rule:
    return number(1, math.inf, f"1 or more, like {like}")


def choice(*options: str | int) -> Rule:
    *most, last = (json.dumps(option) for option in options)
    remedy = f"{', '.join(most)} or {last}"
    return Rule(type=TYPES[type(options[0])], accepts=options.__contains__, remedy=remedy)


def array(each: Rule, *, at_least: int) -> Rule:
    return Rule(
        type="an array",
        accepts=lambda items: at_least <= len(items) == len(set(items)),
        remedy=f"an array of {at_least} or more different items, each {each.remedy}",
        each=each,
    )


def table(accepts: Callable[[Mapping[str, Any]], object], remedy: str) -> Rule:
    return Rule(type="a table", accepts=accepts, remedy=remedy)


def is_narrow_network(cidr: object) -> bool:
    try:
        bits = ipaddress.ip_network(str(cidr)).prefixlen
    except ValueError:
        return False
    return bits > 0 and str(cidr).endswith(f"/{bits}")


def are_tags(tags: Mapping[str, Any]) -> bool:
    tag = re.compile("(?!aws:).{1,128}", re.IGNORECASE)
    texts = all(isinstance(value, str) and len(value) <= 256 for value in tags.values())
    return texts and len(tags) <= 40 and all(tag.fullmatch(key) for key in tags)


def are_texts(table: Mapping[str, Any]) -> bool:
    return all(key and isinstance(value, str) and value for key, value in table.items())


def columns_of(fields: Collection[str]) -> Rule:
    """A table of column names by field. They become part of SQL: letters, digits, underscores."""
    name = re.compile("[A-Za-z_][A-Za-z0-9_]*")

    def accepts(columns: Mapping[str, Any]) -> bool:
        texts = all(isinstance(each, str) and name.fullmatch(each) for each in columns.values())
        return texts and columns.keys() <= set(fields)

    remedy = f'the feed\'s names for {", ".join(fields)}, like "utterance_text" for text'
    return table(accepts, remedy)


REGIONS = frozenset(
    (  # A test compares them with aws-cdk-lib's. To ask it here would start Node.js.
        *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2"),
        *("ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2"),
        *("ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6"),
        *("ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1"),
        *("eu-central-1", "eu-central-2", "eu-isoe-west-1", "eu-north-1", "eu-south-1"),
        *("eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "eusc-de-east-1", "il-central-1"),
        *("me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2"),
        *("us-gov-east-1", "us-gov-west-1", "us-iso-east-1", "us-iso-west-1", "us-isob-east-1"),
        *("us-isob-west-1", "us-isof-east-1", "us-isof-south-1", "us-west-1", "us-west-2"),
    )
)

_PARTS = {
    "partition": "(aws|aws-cn|aws-us-gov)",
    "region": "[a-z0-9-]+",
    "account": "[0-9]{12}",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "key id": "[A-Za-z0-9-]+",
    "role": r"([\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
    "stream": "[A-Za-z0-9_.-]{1,128}",
    "topic": "[A-Za-z0-9_-]{1,256}",
    "name": "[A-Za-z0-9_-]{1,128}",
    "alias": "[A-Za-z0-9_-]{1,128}",
}
ACCOUNT = text(_PARTS["account"], '12 digits, like "123456789012"')
REGION = Rule(
    type="a string",
    accepts=REGIONS.__contains__,
    remedy='the region of the instance, like "us-east-1"',
)
KEY = arn("kms:<region>:<account>:key/<key id>")
NETWORK = Rule(
    type="a string",
    accepts=is_narrow_network,
    remedy='a network without host bits, like "203.0.113.0/24"; [] allows every address',
)
CERTIFICATE = arn("acm:<region>:<account>:certificate/<uuid>")
DOMAIN = text(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
    'a domain name in lower case, like "transcripts.acme.com"',
)
BASE_PATH = text(
    "(?!/)[A-Za-z0-9$_.+!*'()/-]+(?<!/)", 'a path without slashes around it, like "asapp"'
)
HOSTED_ZONE = text("Z[A-Z0-9]{1,32}", 'the id of a hosted zone, like "Z0123456789ABCDEFGHIJ"')
HTTPS = text(
    r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?(/[^\s#]*)?",
    'an address that begins "https://"',
)
PAGE = text(
    r"(https://[a-z0-9-]+(\.[a-z0-9-]+)+|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?/([\w.-]+/)*",
    'the address of the page with a slash at its end, like "https://live.acme.com/"',
)
HOST = text(
    r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?", 'a host name, like "abc.appsync-api…amazonaws.com"'
)
CLAIM = text(r"[\x21-\x7e]{1,256}", "what the token has, up to 256 characters without spaces")
WEB_ACL_ARN = arn("wafv2:<region>:<account>:regional/webacl/<name>/<uuid>")
WEB_ACL = Rule(
    type="a string",
    accepts=lambda value: value in ("manage", "off") or WEB_ACL_ARN.accepts(value),
    remedy=f'"manage", "off" or {WEB_ACL_ARN.remedy}',
)
SECRET_NAME = text(
    "(?!.*[A-Za-z0-9]{32})[A-Za-z0-9/_+=.@-]{1,512}",  # 32 in a row look like a key
    'a name in Secrets Manager, like "connect-autotranscribe/asapp": not an ARN, and never '
    "the secret",
    hides=lambda value: not value.startswith("arn:"),
)
