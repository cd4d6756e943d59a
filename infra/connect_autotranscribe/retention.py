"""How long what a construct makes is kept."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long the logs and the stored data of a construct are kept. Give each construct the same.

    :param log_days: Days until a log line is deleted; one of CloudWatch Logs' choices. Default: 30.
    :param log_group: A log group of yours, with its own retention. Default: the construct makes one
        for each function and each API.
    :param removal_policy: What happens to the data and the logs that the construct makes when it
        leaves the stack. Default: they stay, and the table cannot be deleted by accident. If the
        deployment that makes them fails, they go with it, but for the table, which is protected.

    .. code-block:: python

        TranscriptStore(self, "TranscriptStore", retention=Retention(log_days=90))
    """

    log_days: int = 30
    log_group: logs.ILogGroup | None = None
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


DEFAULT_RETENTION = Retention()
