"""What a trial imports: parameters in, results out.

`import nni` loads nothing but this package's table of names; what a name needs is loaded when it is first
used. The names with their types are in __init__.pyi. This file alone must parse on every Python there is,
so that a trial started with an old one is told.
"""

import sys

if sys.version_info < (3, 8):
    raise ImportError(
        "nni needs Python 3.8 or later. This is Python %s, the interpreter is %s, the command is: %s. "
        "Name a newer Python in the trial command."
        % (sys.version.split()[0], sys.executable, " ".join(getattr(sys, "argv", ["unknown"])))
    )

from nni._exports import __all__, __dir__, __getattr__, prepare_trial  # noqa: F401

prepare_trial()
