"""Checks of the arguments of constructs, by the rules of the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, Stack, Token
from constructs import Construct

from connect_settings._conflicts import conflicts_of_choices
from connect_settings._rules import Rule, choice, fault_of
from connect_settings.environment import RULES

MODE = choice("adopt", "manage")
YES_OR_NO = choice(True, False)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """An argument of a construct.

    :param value: As it was given.
    :param rule: The key of the setting that has the same rule, like ``asapp.api_host``; or a rule.
    :param optional: Whether it may be None.
    :param unit: The unit in which the rule counts a `Duration`. Default: that of the key's name.
    """

    value: Any
    rule: str | Rule
    optional: bool = False
    unit: str | None = None

    @property
    def plain(self) -> Any:
        """The value as a settings file would have it."""
        match self.value:
            case Duration() if self.unit_of_rule and not self.value.is_unresolved():
                number = getattr(self.value, f"to_{self.unit_of_rule}")(integral=False)
                return int(number) if number == int(number) else number
            case str():
                return self.value
            case Mapping():
                return dict(self.value)
            case Collection():
                return tuple(each for each in self.value if not Token.is_unresolved(each))
        return self.value

    @property
    def unit_of_rule(self) -> str | None:
        last = self.rule.rpartition("_")[2] if isinstance(self.rule, str) else None
        return self.unit or (last if last in ("days", "hours", "minutes") else None)

    @property
    def fault(self) -> str | None:
        """What is wrong with it by itself, and what to write instead. A token passes."""
        if self.value is None and self.optional:
            return None
        rule, plain = RULES[self.rule] if isinstance(self.rule, str) else self.rule, self.plain
        if not self.unit_of_rule:
            fault = fault_of(plain, rule, other=f"of the type {type(plain).__name__}")
        elif not isinstance(self.value, Duration):
            fault = f"{plain!r} is not a Duration; write one of {rule.remedy}"
        elif not isinstance(plain, int) or not rule.accepts(plain):
            fault = f"{plain} {self.unit_of_rule} is not accepted; write {rule.remedy}"
        else:
            fault = None
        return fault if fault and not self.is_token else None

    @property
    def is_token(self) -> bool:
        """Whether nothing of it is known before the deployment."""
        if isinstance(self.value, Duration):
            return self.value.is_unresolved()
        if isinstance(self.value, Collection) and not isinstance(self.value, (str, Mapping)):
            known = [each for each in self.value if not Token.is_unresolved(each)]
            return Token.is_unresolved(list(self.value)) or (len(self.value) > 0 and not known)
        return self.value is not None and Token.is_unresolved(self.value)


def like(table: str, *, optional: bool = False, **arguments: Any) -> dict[str, Argument]:
    """Arguments that are named like the settings of one table.

    :param optional: Whether they may be None.
    """
    return {
        name: Argument(value=value, rule=f"{table}.{name}", optional=optional)
        for name, value in arguments.items()
    }


def check_arguments(
    construct: Construct, arguments: Mapping[str, Argument], problems: Iterable[str] = ()
) -> None:
    """Check the arguments of a construct, alone and together, before it makes anything.

    :param arguments: By name.
    :param problems: What else is wrong. Each names its argument, and what to write instead.
    :raises ValueError: with every problem, a line for each.
    """
    named = {each.rule: name for name, each in arguments.items() if isinstance(each.rule, str)}
    values = {
        key: arguments[name].plain
        for key, name in named.items()
        if not arguments[name].fault and not arguments[name].is_token
    }
    values["account"] = Stack.of(construct).account
    conflicts = [f"{named[key]}: {why}" for key, why in conflicts_of_choices(values, RULES)]
    raise_problems(construct.node.path, [*faults_of(arguments), *conflicts, *problems])


def raise_problems(source: str, problems: Iterable[str]) -> None:
    """:raises ValueError: if there is a problem, with a line for each."""
    if problems := list(problems):
        raise ValueError("\n".join(f"{source}: {problem}" for problem in problems))


def faults_of(arguments: Mapping[str, Argument]) -> list[str]:
    """What is wrong with each by itself."""
    return [f"{name}: {fault}" for name, each in arguments.items() if (fault := each.fault)]
