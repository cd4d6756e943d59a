"""How long the logs and the data of a construct are kept."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, aws_logs

from connect_autotranscribe._arguments import Argument, faults_of, raise_problems

_POLICIES = (
    RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    RemovalPolicy.RETAIN,
    RemovalPolicy.DESTROY,
)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long the logs and the stored data of a construct are kept. Pass the same to each.

    :param logs: The time until a log line is deleted; one of CloudWatch Logs' choices. Default: 30
        days.
    :param log_group: Your own log group, with its own retention. Default: a new one for each
        function and each API.
    :param removal_policy: What happens to the construct's data and logs when it is removed from the
        stack. Default: they stay, and the table cannot be deleted by accident. If the deployment
        that creates them fails, they are deleted, except the table, which is protected.

    .. code-block:: python

        TranscriptStore(self, "TranscriptStore", retention=Retention(logs=Duration.days(90)))
    """

    logs: Duration | None = None
    log_group: aws_logs.ILogGroup | None = None
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    def __post_init__(self) -> None:
        log_days = Argument(value=self.logs, rule="retention.logs_days", optional=True)
        problems = faults_of({"logs": log_days})
        if self.logs and self.log_group:
            problems.append("logs: is for new log groups; remove it, or remove log_group")
        if self.removal_policy not in _POLICIES:
            choices = ", ".join(each.name for each in _POLICIES)
            problems.append(
                f"removal_policy: {self.removal_policy.name} is not accepted, because queues and "
                f"logs have no snapshots; write one of {choices}"
            )
        raise_problems("Retention", problems)


def days_of(time: Duration | None) -> int:
    """The days of an argument of a construct whose default is 30 days."""
    return int(time.to_days()) if time else 30


DEFAULT_RETENTION = Retention()
