"""What constructs need of one another, so that a part may be yours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Node


class StreamControl(Protocol):
    """What lets a function start and stop streams at ASAPP: ``TranscriptionControl``."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables of such a function."""

    def grant_to(self, grantee: iam.IGrantable) -> None:
        """Grant what a function with ``environment`` needs."""


class ExportedFiles(Protocol):
    """ASAPP's files of utterances in a bucket: ``UtteranceExport``."""

    @property
    def bucket(self) -> s3.IBucket:
        """It has a folder ``<feed>/dt=2026-11-23/`` for each day."""

    @property
    def columns(self) -> Mapping[str, str]:
        """The feed's names of the fields, if they are not the usual ones."""

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Grant listing and reading the files."""

    def announce_to(self, function: lambda_.IFunction) -> None:
        """Invoke a function with ``{"exported": "2026-11-23"}`` when new files of a day came."""


class MeasuredFlow(Protocol):
    """A flow whose errors Connect counts: ``TranscriptionFlow``, ``TranscribedFlow``."""

    @property
    def node(self) -> Node:
        """Its id is the first part of the alarms' ids."""

    def metric(self, metric_name: str) -> cloudwatch.Metric:
        """What Connect counts of it, for instance ``ContactFlowErrors``."""
