"""The folder of what a user has registered with an installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni._facade import forward

if TYPE_CHECKING:
    from nni_config.config_files import get_builtin_config_file as get_builtin_config_file
    from nni_config.config_files import get_config_directory as get_config_directory
    from nni_config.config_files import get_config_file as get_config_file

__getattr__, __dir__ = forward(__name__, "nni_config.config_files")
