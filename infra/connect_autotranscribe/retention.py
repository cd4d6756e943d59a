"""How long the logs and the data of a construct are kept."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long the logs and the stored data of a construct are kept. Pass the same to each.

    :param log_days: Days until a log line is deleted; one of CloudWatch Logs' choices. Default: 30.
    :param log_group: Your own log group, with its own retention. Default: a new one for each
        function and each API.
    :param removal_policy: What happens to the construct's data and logs when it is removed from the
        stack. Default: they stay, and the table cannot be deleted by accident. If the deployment
        that creates them fails, they are deleted, except the table, which is protected.

    .. code-block:: python

        TranscriptStore(self, "TranscriptStore", retention=Retention(log_days=90))
    """

    log_days: int = 30
    log_group: logs.ILogGroup | None = None
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


DEFAULT_RETENTION = Retention()
