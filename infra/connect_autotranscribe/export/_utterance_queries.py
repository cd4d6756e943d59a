"""SQL over the exported utterances: a database, and an Athena work group with limits."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3 as s3
from constructs import Construct

from connect_settings.shared_names import shared_names

_FEEDS = shared_names("asapp.feeds")
UTTERANCES, STATE = FEEDS = (f"{_FEEDS.UTTERANCES}/", f"{_FEEDS.STATE}/")
"""The folders of the bucket in which each feed has a folder ``dt=2026-11-23/`` for each day."""
RESULTS = "athena-results/"
"""The folder of query results."""
FIELDS: Mapping[str, Sequence[str]] = _FEEDS.COLUMNS
"""The names of each field. The first that a line has counts."""

_MAX_BYTES_A_QUERY = 100 * 1024**3  # about half a dollar
_FIRST_DAY = "2022-01-01"  # earlier days are not found, even if the bucket has them
_LINES, _STATE_LINES = "utterance_lines", "utterance_state_lines"
_COLUMNS = {
    "conversation": "conversation_id",
    "id": "message_id",
    "role": "role",
    "sender": "sender_id",
    "text": "text",
    "time": "said_at",
}
_VIEW = ("dt", *_COLUMNS.values(), "line")
_STATE_FIELDS = ("id", "role", "sender")
_FROM_STATE = ("role", "sender_id")
"""Columns from the state feed, used if the utterance's own line has no value."""


class UtteranceQueries(Construct):
    """Makes ``SELECT text FROM utterances WHERE dt = '2026-11-23'`` work at once.

    The table ``utterance_lines`` has each line of the feed ``utterances`` as it came, the table
    ``utterance_state_lines`` each line of ``staging_utterance_state``. The view ``utterances`` has
    the text, the speaker, the time and the line. It needs no crawler: Athena finds a new day by the
    name of its folder.

    :param bucket: The files are under ``FEEDS``; results of queries go to ``athena-results/``.
    :param columns: The feed's names of fields of ``FIELDS``, if they are not the usual ones.
    """

    database_name: str
    work_group_name: str
    example: str
    """An example of a query."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: s3.IBucket,
        columns: Mapping[str, str],
    ) -> None:
        super().__init__(scope, id)
        # People type these names, so they have no hash. The stack's name is unique in its region.
        self.work_group_name = Stack.of(self).stack_name
        self.database_name = re.sub("[^a-z0-9]+", "_", self.work_group_name.lower())
        self.example = (
            f"SELECT conversation_id, role, text FROM {self.database_name}.utterances "  # noqa: S608
            "WHERE dt = '2026-11-23' ORDER BY conversation_id, said_at"
        )
        self._catalog_id = Stack.of(self).account
        self._database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self._catalog_id,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.database_name, description="What ASAPP transcribed, by its nightly feed"
            ),
        )
        view = self._view(columns)
        view.add_resource_dependency(self._lines("Lines", _LINES, bucket, UTTERANCES))
        view.add_resource_dependency(self._lines("StateLines", _STATE_LINES, bucket, STATE))
        athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=self.work_group_name,
            description="Queries of what ASAPP transcribed",
            # Athena refuses to delete one with a history of queries, and its name would stop the
            # next deployment.
            recursive_delete_option=True,
            work_group_configuration=_configuration(bucket, self._catalog_id),
        )

    def _lines(self, id: str, name: str, bucket: s3.IBucket, prefix: str) -> glue.CfnTable:
        location = bucket.s3_url_for_object(prefix)
        parameters = {
            "EXTERNAL": "TRUE",
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": f"{_FIRST_DAY},NOW",
            "projection.dt.interval": "1",
            "projection.dt.interval.unit": "DAYS",
            "storage.location.template": f"{location}dt=${{dt}}/",
        }
        return self._table(
            id,
            glue.CfnTable.TableInputProperty(
                name=name,
                description="Each line of the feed as it came",
                table_type="EXTERNAL_TABLE",
                parameters=parameters,
                partition_keys=[_column("dt", "The day of the feed")],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=location,
                    columns=[_column("line", "As it came")],
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                        # Fields end at byte 1, which JSON has to escape: a line is one field.
                        parameters={"serialization.format": "1"},
                    ),
                ),
            ),
        )

    def _view(self, columns: Mapping[str, str]) -> glue.CfnTable:
        """The view, in the form in which Athena stores a CREATE VIEW."""
        view = {
            "originalSql": view_sql(columns),
            "catalog": "awsdatacatalog",
            "schema": self.database_name,
            "columns": [{"name": name, "type": "varchar"} for name in _VIEW],
        }
        encoded = base64.b64encode(json.dumps(view).encode()).decode()
        return self._table(
            "Utterances",
            glue.CfnTable.TableInputProperty(
                name="utterances",
                description="Each utterance: its text, who said it when, and the line as it came",
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": "Presto View"},
                view_original_text=f"/* Presto View: {encoded} */",
                view_expanded_text="/* Presto View */",
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location="",
                    columns=[_column(name) for name in _VIEW],
                    serde_info=glue.CfnTable.SerdeInfoProperty(),
                ),
            ),
        )

    def _table(self, id: str, table: glue.CfnTable.TableInputProperty) -> glue.CfnTable:
        made = glue.CfnTable(
            self,
            id,
            catalog_id=self._catalog_id,
            database_name=self.database_name,
            table_input=table,
        )
        made.add_resource_dependency(self._database)
        return made


def view_sql(columns: Mapping[str, str]) -> str:
    """The SQL of the view ``utterances``. A line that is no JSON has values only for day and line.

    :param columns: As for :class:`UtteranceQueries`. The state feed may have the usual names.
    """
    names = {field: (columns[field],) if field in columns else FIELDS[field] for field in FIELDS}
    of_state = {field: dict.fromkeys((*names[field], *FIELDS[field])) for field in _STATE_FIELDS}
    said = f"SELECT dt, {_values(names)}, line FROM {_LINES}"  # noqa: S608
    state = f"SELECT dt, {_values(of_state)} FROM {_STATE_LINES}"  # noqa: S608
    # The state feed may have several lines for an utterance; the view must have each once.
    aggregated = ", ".join(f"max({name}) AS {name}" for name in _FROM_STATE)
    state = f"SELECT dt, message_id, {aggregated} FROM ({state}) GROUP BY dt, message_id"  # noqa: S608
    selected = ", ".join(
        f"coalesce(said.{name}, state.{name}) AS {name}" if name in _FROM_STATE else f"said.{name}"
        for name in _VIEW
    )
    return (
        f"SELECT {selected} FROM ({said}) said LEFT JOIN ({state}) state "  # noqa: S608
        "ON state.dt = said.dt AND state.message_id = said.message_id"
    )


def _values(names: Mapping[str, Iterable[str]]) -> str:
    """The fields of a line, each as a column of the view."""
    values = {field: _first_of(names[field]) for field in names}
    values["role"] = f"nullif(regexp_replace(lower({values['role']}), '^sender_', ''), '')"
    return ", ".join(f"{value} AS {_COLUMNS[field]}" for field, value in values.items())


def _first_of(names: Iterable[str]) -> str:
    values = [f"json_extract_scalar(line, '$.{name}')" for name in names]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _column(name: str, comment: str | None = None) -> glue.CfnTable.ColumnProperty:
    return glue.CfnTable.ColumnProperty(name=name, type="string", comment=comment)


def _configuration(
    bucket: s3.IBucket, account: str
) -> athena.CfnWorkGroup.WorkGroupConfigurationProperty:
    """The limits of the work group, which a query cannot change."""
    group = athena.CfnWorkGroup
    key = bucket.encryption_key
    return group.WorkGroupConfigurationProperty(
        enforce_work_group_configuration=True,
        publish_cloud_watch_metrics_enabled=True,
        bytes_scanned_cutoff_per_query=_MAX_BYTES_A_QUERY,
        engine_version=group.EngineVersionProperty(
            selected_engine_version="Athena engine version 3"
        ),
        result_configuration=group.ResultConfigurationProperty(
            output_location=bucket.s3_url_for_object(RESULTS),
            expected_bucket_owner=account,
            encryption_configuration=group.EncryptionConfigurationProperty(
                encryption_option="SSE_KMS" if key else "SSE_S3",
                kms_key=key.key_arn if key else None,
            ),
        ),
    )
