/** A configuration as its YAML form has it: camel case, and only what is set. */

import { create, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  type ExperimentConfig,
  ExperimentConfigSchema,
} from "../generated/nni_proto/v1/experiment_config_pb";
import { type ObjectValue, type Value, ValueSchema } from "../generated/nni_proto/v1/value_pb";
import { boolValue, doubleValue, intValue, listValue, objectValue, stringValue } from "./values";

/** Returns a configuration as a value. */
export function configValue(config: ExperimentConfig): Value {
  const fields = fieldsOf(ExperimentConfigSchema, config);
  return objectValue(
    fields.map(([name, value]) => {
      if (name !== "trainingServices" || value.kind.case !== "listValue") return [name, value];
      const services = value.kind.value.values;
      return ["trainingService", services.length === 1 && services[0] !== undefined ? services[0] : value];
    }),
  );
}

function fieldsOf(schema: DescMessage, message: Message): [string, Value][] {
  const reflected = reflect(schema, message);
  return schema.fields
    .filter((field) => reflected.isSet(field))
    .map((field) => [field.jsonName, fieldValue(field, message)]);
}

function fieldValue(field: DescField, message: Message): Value {
  const content = contentOf(field, message);
  if (field.fieldKind === "list") {
    const element = field.message;
    return listValue((content as unknown[]).map((one) => single(element, one)));
  }
  return single(field.message, content);
}

function contentOf(field: DescField, message: Message): unknown {
  const holder = message as unknown as Record<string, unknown>;
  const oneof = field.oneof;
  return oneof === undefined
    ? holder[field.localName]
    : (holder[oneof.localName] as { value: unknown }).value;
}

function single(schema: DescMessage | undefined, content: unknown): Value {
  if (schema === undefined) return scalar(content);
  switch (schema.typeName) {
    case "nni_proto.v1.Value":
      return content as Value;
    case "nni_proto.v1.ObjectValue":
      return create(ValueSchema, { kind: { case: "objectValue", value: content as ObjectValue } });
    case "nni_proto.v1.WrittenDuration":
    case "nni_proto.v1.WrittenMemorySize":
      return written((content as { written: { case?: string; value?: unknown } }).written);
    case "nni_proto.v1.TrainingServiceConfig":
      return platform(schema, content as Message);
    default:
      return objectValue(fieldsOf(schema, content as Message));
  }
}

function platform(schema: DescMessage, message: Message): Value {
  const reflected = reflect(schema, message);
  const field = schema.fields.find((one) => reflected.isSet(one));
  if (field?.message === undefined) return objectValue([]);
  const content = contentOf(field, message) as Message;
  if (field.localName !== "custom") {
    return objectValue([["platform", stringValue(field.localName)], ...fieldsOf(field.message, content)]);
  }
  const custom = content as Message & { platform: string; settings?: ObjectValue };
  const settings = (custom.settings?.fields ?? []).map((one): [string, Value] => [
    one.key,
    one.value ?? create(ValueSchema),
  ]);
  return objectValue([["platform", stringValue(custom.platform)], ...settings]);
}

function written(one: { case?: string | undefined; value?: unknown }): Value {
  return one.case === "seconds" || one.case === "mebibytes"
    ? doubleValue(Number(one.value))
    : scalar(one.value);
}

function scalar(content: unknown): Value {
  if (typeof content === "boolean") return boolValue(content);
  if (typeof content === "bigint") return intValue(content);
  // Every number in a configuration outside of a Value is an integer.
  if (typeof content === "number") return intValue(BigInt(content));
  return stringValue(String(content));
}
