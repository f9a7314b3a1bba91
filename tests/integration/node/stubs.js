"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const PROTOS = path.resolve(__dirname, "../../../proto");
const definition = loader.loadSync(
  ["nni_proto/v1/experiment_service.proto", "nni_proto/v1/trial_runtime_service.proto"],
  { includeDirs: [PROTOS], longs: String, enums: String, oneofs: true, arrays: true },
);
const services = grpc.loadPackageDefinition(definition).nni_proto.v1;

// Returns a stub whose unary methods return promises and whose stream methods return streams.
function stub(service, address, token) {
  const client = new services[service](address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (token) metadata.set("authorization", `Bearer ${token}`);
  const calls = { close: () => client.close() };
  for (const [name, method] of Object.entries(services[service].service)) {
    calls[name] = method.responseStream
      ? (request) => client[name](request, metadata)
      : (request) =>
          new Promise((resolve, reject) => {
            const deadline = Date.now() + 60_000;
            client[name](request, metadata, { deadline }, (error, response) =>
              error ? reject(error) : resolve(response),
            );
          });
  }
  return calls;
}

function toValue(value) {
  if (value === null) return { nullValue: "NULL_VALUE" };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
  if (typeof value === "string") return { stringValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  const fields = Object.entries(value).map(([key, element]) => ({ key, value: toValue(element) }));
  return { objectValue: { fields } };
}

function fromValue(value) {
  switch (value.kind) {
    case "nullValue":
      return null;
    case "intValue":
      return Number(value.intValue);
    case "listValue":
      return value.listValue.values.map(fromValue);
    case "objectValue":
      return Object.fromEntries(value.objectValue.fields.map(({ key, value }) => [key, fromValue(value)]));
    default:
      return value[value.kind];
  }
}

module.exports = { stub, toValue, fromValue };
