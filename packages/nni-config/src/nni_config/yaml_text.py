"""Writes values as YAML that our reader reads back as the same values."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.nodes import MappingNode, ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from nni_config.yaml_file import WrittenFloat, WrittenInt, scalar_of

_TAG = "tag:yaml.org,2002:"
_WIDEST = 2**16
"""No line is broken, so that a command stays on one line."""


_AS_WRITTEN = f"{_TAG}float"


class _PlainEmitter(Emitter):
    """Never writes a tag: the kind of every scalar follows from how it is written."""

    def process_tag(self) -> None:
        self.tag = None

    def choose_scalar_style(self) -> Any:
        # The emitter would quote what it does not take as a number itself, such as 0x1F.
        return "" if self.event.tag == _AS_WRITTEN else super().choose_scalar_style()


class _Representer(SafeRepresenter):
    """Keeps the order of keys, writes no anchors, and numbers as they were written."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_dict(self, data: dict[Any, Any]) -> MappingNode:
        pairs = [(self.represent_data(key), self.represent_data(value)) for key, value in data.items()]
        return MappingNode(f"{_TAG}map", pairs, flow_style=not data)

    def represent_text(self, data: str) -> ScalarNode:
        # What another reader takes as text may be a number in YAML 1.2.
        is_text = isinstance(scalar_of(data), str) and data != "<<"
        style = '"' if not data.isprintable() else None if is_text else "'"
        return self.represent_scalar(f"{_TAG}str", str(data), style=style)

    def represent_float_plainly(self, data: float) -> ScalarNode:
        words = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
        text = float.__repr__(data)
        return ScalarNode(_AS_WRITTEN, words.get(text, text))

    def represent_written_number(self, data: WrittenInt | WrittenFloat) -> ScalarNode:
        return ScalarNode(_AS_WRITTEN, data.written)


_Representer.add_representer(dict, _Representer.represent_dict)
_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_representer(float, _Representer.represent_float_plainly)
_Representer.add_representer(WrittenInt, _Representer.represent_written_number)
_Representer.add_representer(WrittenFloat, _Representer.represent_written_number)


def yaml_text(value: Any) -> str:
    """Returns a value, made of what YAML files hold, as the text of a YAML file."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.Emitter = _PlainEmitter
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = _WIDEST
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()
