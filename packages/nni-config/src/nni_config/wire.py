"""Converts configurations to the protocol's messages and back. Nothing else here imports nni_proto."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from nni_proto import values
from nni_proto.v1 import experiment_config_pb2 as pb

from nni_config.algorithm import AlgorithmConfig
from nni_config.base import ConfigBase
from nni_config.coercion import nested
from nni_config.experiment import ExperimentConfig
from nni_config.platforms import load_platform
from nni_config.problems import InvalidConfigError, Problem
from nni_config.shared_storage import SharedStorageConfig
from nni_config.training_service import TrainingServiceConfig, is_built_in, training_service_class

_CUSTOM = "custom"


def config_to_message(config: ExperimentConfig) -> pb.ExperimentConfig:
    """Returns a configuration as a message. It is taken as it is: pass a canonical copy.

    Raises:
        ValueError: It holds a value that the protocol cannot carry, which a canonical copy does not.
        TypeError: It holds something that JSON cannot.
    """
    message = pb.ExperimentConfig()
    _fill(message, config)
    for service in config.training_services():
        message.training_services.append(_training_service_to_message(service))
    return message


def config_from_message(message: pb.ExperimentConfig) -> ExperimentConfig:
    """Returns the configuration that a message holds. Only single values are checked: call `validate`.

    Raises:
        InvalidConfigError: A value is not allowed, or a training service is not known here.
        ValueError: A value of the protocol is malformed.
    """
    fields = _fields(message)
    if message.training_services:
        services = [_training_service_from_message(service) for service in message.training_services]
        fields["training_service"] = services[0] if len(services) == 1 else services
    config = ExperimentConfig(**fields)
    if config.search_space is not None and config.search_space_file is not None:
        # The message has what the file held; the file may have changed, or be on another machine.
        config._loaded_search_space_file = str(config.search_space_file)
    return config


def _training_service_to_message(service: TrainingServiceConfig) -> pb.TrainingServiceConfig:
    message = pb.TrainingServiceConfig()
    if is_built_in(type(service)) and service.platform in message.DESCRIPTOR.fields_by_name:
        part = getattr(message, service.platform)
        part.SetInParent()
        # The manager needs the secrets to reach the place; what it stores and answers has none of them.
        _fill(part, service)
    else:
        settings = service.to_dict(secrets=True)
        settings.pop("platform", None)
        message.custom.platform = service.platform
        message.custom.settings.CopyFrom(values.object_to_message(settings))
    return message


def _training_service_from_message(message: pb.TrainingServiceConfig) -> TrainingServiceConfig:
    name = message.WhichOneof("platform")
    if name is None or name == _CUSTOM:
        try:
            config_class = training_service_class(message.custom.platform if name else None)
        except ValueError as error:
            raise InvalidConfigError([Problem(("training_service", "platform"), str(error))]) from None
        settings = values.object_from_message(message.custom.settings)
    else:
        config_class = load_platform(name)
        settings = _fields(getattr(message, name))
    try:
        return config_class(**settings)
    except InvalidConfigError as error:
        raise type(error)([problem.below("training_service") for problem in error.problems]) from None


def _filled(message_class: type[Message], config: ConfigBase) -> Message:
    message = message_class()
    _fill(message, config)
    return message


def _fill(message: Message, config: ConfigBase) -> None:
    """Sets the fields of a message to the fields of the same names of a configuration."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(config, field.name) if field.name in type(config).model_fields else None
        if value is None:
            continue
        part = getattr(message, field.name)
        if field.message_type is not None:
            convert = _CONVERTERS[field.message_type.full_name][0]
            if isinstance(part, Message):
                part.CopyFrom(convert(value))
            else:
                part.extend(map(convert, value))
        elif isinstance(value, list):
            part.extend(value)
        else:
            setattr(message, field.name, str(value) if field.type == FieldDescriptor.TYPE_STRING else value)


def _fields(message: Message) -> dict[str, Any]:
    """Returns the fields that are set in a message and that configurations have under the same names."""
    fields: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            fields[field.name] = value if isinstance(value, (str, int, float)) else list(value)
        elif field.message_type.full_name in _CONVERTERS:
            convert = _CONVERTERS[field.message_type.full_name][1]
            fields[field.name] = (
                convert(value) if isinstance(value, Message) else [convert(element) for element in value]
            )
    return fields


def _duration_to_message(duration: str | int | float) -> pb.WrittenDuration:
    if isinstance(duration, str):
        return pb.WrittenDuration(text=duration)
    if isinstance(duration, int):
        return pb.WrittenDuration(whole_seconds=duration)
    return pb.WrittenDuration(seconds=duration)


def _written(message: pb.WrittenDuration | pb.WrittenMemorySize) -> Any:
    """Returns a duration or a size as it was written."""
    written = message.WhichOneof("written")
    return None if written is None else getattr(message, written)


def _memory_size_to_message(size: str | int | float) -> pb.WrittenMemorySize:
    if isinstance(size, str):
        return pb.WrittenMemorySize(text=size)
    if isinstance(size, int):
        return pb.WrittenMemorySize(whole_mebibytes=size)
    return pb.WrittenMemorySize(mebibytes=size)


def _algorithm_from_message(message: pb.AlgorithmConfig) -> ConfigBase:
    return nested(AlgorithmConfig, _fields(message))


def _shared_storage_from_message(message: pb.SharedStorageConfig) -> ConfigBase:
    return nested(SharedStorageConfig, _fields(message))


_CONVERTERS: dict[str, tuple[Callable[[Any], Message], Callable[[Any], Any]]] = {
    "nni_proto.v1.Value": (values.to_message, values.from_message),
    "nni_proto.v1.ObjectValue": (values.object_to_message, values.object_from_message),
    "nni_proto.v1.WrittenDuration": (_duration_to_message, _written),
    "nni_proto.v1.WrittenMemorySize": (_memory_size_to_message, _written),
    "nni_proto.v1.RemoteMachineConfig": (partial(_filled, pb.RemoteMachineConfig), _fields),
    "nni_proto.v1.AlgorithmConfig": (partial(_filled, pb.AlgorithmConfig), _algorithm_from_message),
    "nni_proto.v1.SharedStorageConfig": (
        partial(_filled, pb.SharedStorageConfig),
        _shared_storage_from_message,
    ),
}
"""How messages within a configuration are converted, by the message's name."""
