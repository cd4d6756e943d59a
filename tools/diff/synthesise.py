"""Synthesises one revision's environments: ``python -P synthesise.py OUT NAME…`` in its folder.

It runs in a process of its own for each revision, with that revision's sources first on PYTHONPATH:
its own app.py, constructs, runtime code and cdk.json are what is read. All environments share the
process, since most of a synth's time goes into loading aws-cdk-lib. What fails is printed as it
failed there, beginning at app.py.
"""

import json
import sys
import traceback
from importlib import import_module
from pathlib import Path


def write_assemblies(out: str, names: list[str]) -> None:
    """A cloud assembly for each environment, from the sources that come first on the path."""
    from aws_cdk import App

    from app import build

    context = json.loads(Path("cdk.json").read_text(encoding="utf-8")).get("context", {})
    # As the command line has it; except that a template is compared, whatever its merits: loading
    # CDK's rules takes longer than the rest.
    context |= {f"aws:cdk:enable-{what}-metadata": True for what in ("path", "asset")}
    described = Path(out, "settings.json")
    described.parent.mkdir(parents=True, exist_ok=True)
    described.write_text(json.dumps(_sensitivity()), encoding="utf-8")
    for name in names:
        app = App(
            context=context,
            outdir=str(Path(out, Path(name).stem)),
            builtin_cloud_formation_validation=False,
        )
        build(app, name)
        app.synth()


def _sensitivity() -> dict[str, str | None]:
    """What a change of each setting means; empty if this revision does not say it yet."""
    try:
        known = import_module("connect_settings.environment").sensitivity()
    except (AttributeError, ModuleNotFoundError):
        return {}
    return dict(known)


def main() -> None:
    out, *names = sys.argv[1:]
    try:
        write_assemblies(out, names)
    except Exception as error:
        within = error.__traceback__
        for _ in range(2):  # neither this function nor the one above
            within = within and within.tb_next
        traceback.print_exception(error.with_traceback(within))
        sys.exit(1)


if __name__ == "__main__":
    main()
