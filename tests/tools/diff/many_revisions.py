"""Synthesises copies of this repository in one process, as most of a synth loads aws-cdk-lib.

Standard input has a list as JSON: folder, where to write, and environments of each.
"""

from __future__ import annotations

import json
import os
import sys

from tools.diff.synthesise import write_assemblies


def main() -> None:
    for folder, out, names in json.load(sys.stdin):
        os.chdir(folder)
        sys.path[:0] = [f"{folder}/infra", folder]
        write_assemblies(out, names)
        del sys.path[:2]
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]


if __name__ == "__main__":
    main()
