"""Recognises NNI's V1 configuration files; what few need is loaded only for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nni_config.names import comparable

if TYPE_CHECKING:
    from nni_config.v1_conversion import Conversion
    from nni_config.yaml_file import YamlDocument

_PLATFORM = "trainingserviceplatform"
_MARKS = (
    *("authorname", "description", "maxexecduration", "maxtrialnum", "searchspacepath", "logdir"),
    *("multiphase", "multithread", "versioncheck", "logcollection", "trial", "localconfig", "remoteconfig"),
    *("machinelist", "paiconfig", "amlconfig", "kubeflowconfig", "frameworkcontrollerconfig", "hybridconfig"),
)
"""Names at the top of V1 files that the V2 form does not have there. One of them may be a slip."""


def is_v1_form(value: object) -> bool:
    """Returns whether what a file holds is in NNI's V1 form."""
    if not isinstance(value, dict):
        return False
    names = {comparable(str(key)) for key in value}
    if "trainingservice" in names:
        return False
    return _PLATFORM in names or len(names.intersection(_MARKS)) > 1


def v1_conversion(document: YamlDocument) -> Conversion | None:
    """Returns the V2 form of what a file holds, or None if it is not in NNI's V1 form."""
    if not is_v1_form(document.value):
        return None
    from nni_config.v1_conversion import converted

    return converted(document)
