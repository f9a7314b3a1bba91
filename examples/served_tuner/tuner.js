// A tuner in JavaScript, served to NNI's manager: (1+1)-evolution. The best parameters so far are changed a
// little, and the change is kept if its result is better.
//
//     node tuner.js [PORT]        the token, if there is to be one, is in TUNER_TOKEN
"use strict";

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { toValue, fromValue, fromFields } = require("./values");

const PROTOS = process.env.NNI_PROTOS || path.resolve(__dirname, "../../proto");
const definition = loader.loadSync("nni_proto/v1/algorithm_service.proto", {
  includeDirs: [PROTOS],
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: true, // what is not set, such as HISTORY_USE_UNSPECIFIED, is not on the wire
});
const { AlgorithmService } = grpc.loadPackageDefinition(definition).nni_proto.v1;

class EvolutionTuner {
  constructor({ optimizeMode, step = 0.1 }) {
    this.sign = optimizeMode === "maximize" ? -1 : 1;
    this.step = step;
    this.best = null;
    this.bestLoss = Infinity;
  }

  updateSearchSpace(space) {
    for (const [name, { _type }] of Object.entries(space)) {
      if (!["uniform", "choice"].includes(_type)) throw new Error(`${name}: this tuner does not know ${_type}`);
    }
    this.space = space;
  }

  generateParameters() {
    const draw = ({ _type, _value }, current) => {
      if (_type === "choice") {
        const keeps = current !== undefined && Math.random() < 0.7;
        return keeps ? current : _value[Math.floor(Math.random() * _value.length)];
      }
      const [low, high] = _value;
      if (current === undefined) return low + Math.random() * (high - low);
      const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
      return Math.min(high, Math.max(low, current + this.step * (high - low) * normal));
    };
    const base = this.best || {};
    return Object.fromEntries(Object.entries(this.space).map(([name, spec]) => [name, draw(spec, base[name])]));
  }

  receiveTrialResult(parameters, value) {
    const loss = this.sign * (typeof value === "object" && value !== null ? value.default : value);
    if (loss < this.bestLoss) [this.bestLoss, this.best] = [loss, parameters]; // NaN is never better
  }
}

// One life of a tuner: the manager's messages in, answers out.
function converse(call) {
  if (process.env.TUNER_TOKEN && call.metadata.get("authorization")[0] !== `Bearer ${process.env.TUNER_TOKEN}`) {
    call.emit("error", { code: grpc.status.UNAUTHENTICATED, details: "wrong token" });
    return;
  }
  let tuner = null;
  let inHistory = false;

  const handle = (message) => {
    const { number, request: kind } = message;
    const told = message[kind];
    if (kind === "initialize") {
      tuner = new EvolutionTuner({ optimizeMode: told.optimizeMode, ...fromFields(told.classArgs) });
      tuner.updateSearchSpace(fromValue(told.searchSpace));
      inHistory = told.historyUse !== "HISTORY_USE_UNSPECIFIED";
    } else if (kind === "requestParameters" && !inHistory) {
      for (const parameterId of told.parameterIds) {
        call.write({ propose: { parameterId, parameters: toValue(tuner.generateParameters()) } });
      }
    } else if (kind === "finalResult") {
      tuner.receiveTrialResult(fromValue(told.parameters), fromValue(told.value));
    } else if (kind === "importedTrials") {
      for (const trial of told.trials) tuner.receiveTrialResult(fromValue(trial.parameters), fromValue(trial.value));
    } else if (kind === "searchSpace") {
      try {
        tuner.updateSearchSpace(fromValue(told.searchSpace));
      } catch (error) {
        call.write({ refused: { number, message: error.message } });
      }
    } else if (kind === "historyEnds") {
      // All that this tuner needs to know of its past are the results, which it was told like new ones.
      inHistory = false;
      console.log("went on from a history");
      call.write({ historyTaken: { way: "WAY_TOLD" } });
      return;
    } else if (kind === "terminate") {
      call.end();
      return;
    }
    if (kind === "initialize" || !inHistory) call.write({ processed: { number } });
  };

  call.on("data", (message) => {
    try {
      handle(message);
    } catch (error) {
      call.write({ failed: { message: error.message, traceback: error.stack } });
    }
  });
  call.on("end", () => call.end());
  call.on("error", (error) => console.error(error.message));
}

const server = new grpc.Server();
server.addService(AlgorithmService.service, { Converse: converse });
const address = `127.0.0.1:${process.argv[2] || 5555}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`serving a tuner at 127.0.0.1:${port}`);
});
