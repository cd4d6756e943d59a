"""Every stack, in the order in which a call meets them. Open this first."""

import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Environment

from connect_autotranscribe.stacks.access import AccessStack
from connect_autotranscribe.stacks.flows import FlowsStack
from connect_autotranscribe.stacks.live import LiveStack
from connect_autotranscribe.stacks.transcription import TranscriptionStack
from connect_settings import OwnFlows, Settings, SettingsError, environment_file

ENVIRONMENTS = Path(__file__).parent / "infra" / "environments"


def build(app: App, name: str) -> None:
    """Puts the stacks of one environment into the app: three, and a fourth if the page is on.

    :param name: A file of ``infra/environments`` without its ending, or the path of a TOML file.
    """
    file = environment_file(name, ENVIRONMENTS)
    settings = Settings.load(file)
    add_stacks(app, file.stem, settings, OwnFlows.read(settings, file))


def add_stacks(app: App, name: str, settings: Settings, own_flows: OwnFlows | None = None) -> None:
    """The three stacks, by the order in which a call meets them.

    :param name: The environment's, which is part of the stacks' names.
    :param own_flows: The flows of ``[[flows]]``. Default: none.
    """
    prefix = f"autotranscribe-{name}"
    common: dict[str, Any] = {
        "env": Environment(account=settings.account, region=settings.region),
        "synthesizer": DefaultStackSynthesizer(qualifier=settings.bootstrap_qualifier),
        "termination_protection": settings.on_delete == "retain",
        "tags": settings.tags,
    }

    AccessStack(app, f"{prefix}-access", settings=settings, **common)
    transcription = TranscriptionStack(app, f"{prefix}-transcription", settings=settings, **common)
    FlowsStack(
        app,
        f"{prefix}-flows",
        instance_arn=settings.connect.instance_arn,
        start_streaming=transcription.transcription_control.start_streaming,
        stop_streaming=transcription.transcription_control.stop_streaming,
        customer_id_path=settings.asapp.customer_id_path,
        agent_id_path=settings.asapp.agent_id_path,
        name_prefix=settings.connect.flow_name_prefix,
        resiliency=settings.connect.resiliency,
        stop_at_hold=settings.lifecycle.mode != "off",
        own_flows=own_flows,
        alarm_topic=transcription.alarms.topic,
        **common,
    )
    if settings.live.mode != "off":
        LiveStack(
            app,
            f"{prefix}-live",
            settings=settings,
            store=transcription.transcript_store,
            alarm_topic=transcription.alarms.topic,
            **common,
        )


if __name__ == "__main__":
    app = App()
    try:
        build(app, app.node.try_get_context("environment") or "sandbox")
    except SettingsError as problem:
        sys.exit(str(problem))
    app.synth()
