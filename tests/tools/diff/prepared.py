"""Changes such as a pull request brings, some by an attacker, made in a copy of this repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

INFRA = "infra/connect_autotranscribe"
ENVIRONMENTS = "infra/environments"


def edit(folder: Path, file: str, pattern: str, new: str) -> None:
    """Replace what matches; a prepared change that changes nothing is an error."""
    path = folder / file
    text, count = re.subn(pattern, lambda _: new, path.read_text())
    assert count, f"{file} has nothing like {pattern}"
    path.write_text(text)


def table_renamed(folder: Path) -> None:
    edit(
        folder,
        f"{INFRA}/transcripts/transcript_store.py",
        '(?<=\\n            )"Table"',
        '"Transcripts"',
    )


def action_added(folder: Path) -> None:
    edit(
        folder,
        f"{INFRA}/calls/transcription_control.py",
        '(?<="dynamodb:GetItem", )(?="dynamodb:UpdateItem")',
        '"dynamodb:DeleteItem", ',
    )


def resource_widened(folder: Path) -> None:
    edit(
        folder,
        f"{INFRA}/audio/kinesis_video_read_role.py",
        r'f"\{stream_prefix\}-connect-\{instance_alias\}-contact-\*/\*"',
        'f"{stream_prefix}*"',
    )


def handler_line_changed(folder: Path) -> None:
    edit(
        folder,
        "lambdas/stop_streaming/handler.py",
        '"stop streaming: %s"',
        '"transcription "\n        "stops: %s"',
    )


def block_inserted(folder: Path) -> None:
    """A notice in the customer whisper, once the agent is announced."""
    edit(
        folder,
        "infra/connect_flows/ready_made/whispers.py",
        'say\\("Announce the agent", prompt, next="Start media streaming"\\),',
        'say("Announce the agent", prompt, next="Say the notice"),\n'
        '            say("Say the notice", Prompt(text="It is transcribed."), '
        'next="Start media streaming"),',
    )


def setting_changed(folder: Path) -> None:
    edit(
        folder,
        f"{ENVIRONMENTS}/prod.toml",
        "# throttle_burst = 2000",
        "throttle_burst = 300",
    )


def log_retention_changed(folder: Path) -> None:
    edit(folder, f"{ENVIRONMENTS}/prod.toml", "logs_days = 30", "logs_days = 14")


def environment_added(folder: Path) -> None:
    text = (folder / ENVIRONMENTS / "staging.toml").read_text()
    text = text.replace("222222222222", "444444444444").replace("staging", "qa")
    (folder / ENVIRONMENTS / "qa.toml").write_text(text)


def nothing(folder: Path) -> None:
    edit(folder, f"{ENVIRONMENTS}/dev.toml", "# Development:", "# For development:")


def syntax_error(folder: Path) -> None:
    edit(
        folder, f"{INFRA}/stacks/access.py", r"media, asapp = settings", "media, asapp = = settings"
    )


def settings_loosened(folder: Path) -> None:
    """Four settings of prod in one commit, and nothing that holds data."""
    file = f"{ENVIRONMENTS}/prod.toml"
    edit(folder, file, r"allowed_cidrs = \[.*?\]", "allowed_cidrs = []")
    edit(folder, file, "https://api.asapp.com", "https://api.asapp.example")
    edit(folder, file, 'redaction = "redacted"', 'redaction = "unredacted"')
    edit(folder, file, "audio_recording_allowed = false", "audio_recording_allowed = true")


def web_acl_off(folder: Path) -> None:
    edit(folder, f"{ENVIRONMENTS}/prod.toml", 'web_acl = "manage"', 'web_acl = "off"')


def tool_blinded(folder: Path) -> None:
    """Another role may read prod's audio, and the comparison finds nothing."""
    edit(folder, f"{ENVIRONMENTS}/prod.toml", "role/asapp-prod-mg[a-z-]*", "role/somebody-else")
    edit(folder, "tools/diff/compare.py", r"return list\(.*\)", "return []")


def app_lies(folder: Path) -> None:
    """The app synthesises the settings of before, whatever the file says."""
    file = f"{ENVIRONMENTS}/prod.toml"
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "old.toml").write_text((folder / file).read_text())
    edit(folder, file, "https://api.asapp.com", "https://api.asapp.example")
    edit(folder, "app.py", r"Settings.load\(file\)", 'Settings.load(Path("docs/old.toml"))')


AUTHORITIES = f"{ENVIRONMENTS}/prod-client-authorities.pem"
CERTIFICATE = (
    "arn:aws:acm:eu-central-1:333333333333:certificate/33333333-3333-4333-8333-33333333333"
)


def authentication_switched(folder: Path) -> None:
    """From a secret to tokens of Okta and, at another domain, client certificates of ASAPP's."""
    file = f"{ENVIRONMENTS}/prod.toml"
    edit(folder, file, r'auth = \["secret"\]', 'auth = ["oauth2", "mtls"]')
    edit(folder, file, 'tls = "1.2"', 'tls = "1.3"')
    edit(folder, file, "# (?=issuer = |keys_url = |audience = )", "")
    webhook, mark, mtls = (folder / file).read_text().partition("[webhook_mtls]")
    mtls = re.sub("# (?=domain = |certificate_arn = |authorities_file = |subject = )", "", mtls)
    (folder / file).write_text(webhook + mark + mtls)
    own = Path(__file__).parents[3] / "examples" / "constructs" / "client_authorities.pem"
    (folder / AUTHORITIES).write_text(own.read_text())


def webhook_opened(folder: Path) -> None:
    """After it: another issuer, no Subject, one more authority, an older TLS, another domain."""
    authentication_switched(folder)
    file = f"{ENVIRONMENTS}/prod.toml"
    edit(folder, file, r"acme\.okta\.com", "evil.okta.example")
    edit(folder, file, "(?=subject = )", "# ")
    edit(folder, file, 'tls = "1.3"', 'tls = "1.2"')
    edit(folder, file, '(?<=\ndomain = ")mtls', "other")
    edit(folder, AUTHORITIES, "^", "Another one:\n")


BASES = {"webhook_opened": "authentication_switched"}
"""The changes that are compared with another than the repository as it is."""

CHANGES: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (
        table_renamed,
        action_added,
        resource_widened,
        handler_line_changed,
        block_inserted,
        setting_changed,
        log_retention_changed,
        environment_added,
        nothing,
        syntax_error,
        settings_loosened,
        web_acl_off,
        tool_blinded,
        app_lies,
        authentication_switched,
        webhook_opened,
    )
}
