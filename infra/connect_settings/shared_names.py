"""The names that a Lambda function and its deployment both use, such as the columns of a feed.

Each is written once, in ``lambdas/shared``.
"""

from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

_PACKAGES = Path(__file__).parents[1]
_INSTALLED = _PACKAGES / "connect_autotranscribe" / "_lambdas"
LAMBDAS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGES.parent / "lambdas"
"""The functions' code, in the wheel or in the repository."""


def shared_names(module: str) -> ModuleType:
    """A module of ``lambdas/shared``.

    :param module: Its name, for instance ``asapp.feeds``. It may import only the standard library.
    """
    names = ModuleType(module)
    file = LAMBDAS.joinpath("shared", *module.split(".")).with_suffix(".py")
    SourceFileLoader(module, str(file)).exec_module(names)
    return names
