// Shows one experiment and its trials, live. It watches by the Connect protocol's server-stream form, keeps
// what it has when the manager goes, and watches again from the last revision.
"use strict";

const MOST_ROWS = 500;
// Characters that turn the order of the text around them, so that it reads as something else.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const experiment = document.body.dataset.experiment;
const element = (id) => document.getElementById(id);
const trials = new Map();
let revision = "0";
let drawing = false;

function plain(value) {
  if (value === undefined) return undefined;
  if ("nullValue" in value) return null;
  if ("boolValue" in value) return value.boolValue;
  if ("intValue" in value) return value.intValue;
  if ("doubleValue" in value) return value.doubleValue;
  if ("stringValue" in value) return JSON.stringify(value.stringValue);
  if ("listValue" in value) return "[" + (value.listValue.values || []).map(plain).join(", ") + "]";
  const fields = (value.objectValue || {}).fields || [];
  return fields.map((field) => `${field.key}: ${plain(field.value)}`).join(", ");
}

function brief(value) {
  const text = value === undefined ? "" : String(plain(value));
  return text.length > 300 ? text.slice(0, 300) + " ..." : text;
}

function visible(text) {
  return String(text).replace(TURNING, (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
}

function put(target, text) {
  target.textContent = visible(text);
}

function name(value) {
  return (value || "").replace(/^STATUS_/, "");
}

function duration(trial) {
  if (!trial.startTime) return trial.waitingReason || "";
  const end = trial.endTime ? Date.parse(trial.endTime) : Date.now();
  return `${Math.max(0, Math.round((end - Date.parse(trial.startTime)) / 1000))} s`;
}

function addFact(term, text) {
  const dt = document.createElement("dt");
  const dd = document.createElement("dd");
  put(dt, term);
  put(dd, text);
  element("facts").append(dt, dd);
}

function showExperiment(data) {
  const title = (data.config || {}).experimentName || data.name;
  document.title = visible(title);
  put(element("title"), title);
  element("facts").replaceChildren();
  addFact("Experiment", data.name);
  const status = name(data.status) + (data.paused ? ", paused" : "");
  addFact("Status", status + (data.endReason ? ` (${data.endReason.message})` : ""));
  const counts = (data.trialCounts || []).map((entry) => `${entry.count} ${name(entry.status)}`);
  addFact("Trials", `${data.trialCount || 0}${counts.length ? ": " + counts.join(", ") : ""}`);
  if (data.bestTrial) {
    const best = data.bestTrial;
    addFact("Best final result", `${brief(best.finalResult)} by trial ${best.sequenceNumber || 0} (${brief(best.parameters)})`);
  }
  addFact("Folder", data.directory || "");
  showTexts("warnings", data.warnings || []);
  showTexts("errors", data.errors || []);
}

function showTexts(id, texts) {
  element(id).hidden = !texts.length;
  put(element(id), texts.join("\n\n"));
}

function row(trial) {
  const cells = [
    trial.sequenceNumber || 0,
    trial.name.split("/").pop(),
    name(trial.status) + (trial.endReason ? ` (${trial.endReason.message})` : ""),
    brief(trial.finalResult),
    brief(trial.latestIntermediate),
    duration(trial),
    brief(trial.parameters),
  ];
  const line = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement("td");
    put(cell, text);
    line.append(cell);
  }
  return line;
}

function drawTrials() {
  drawing = false;
  const newest = [...trials.values()].sort((a, b) => (b.sequenceNumber || 0) - (a.sequenceNumber || 0));
  element("shown").textContent =
    newest.length > MOST_ROWS ? `The newest ${MOST_ROWS} of ${newest.length}; nnictl lists all.` : "";
  element("trials").replaceChildren(...newest.slice(0, MOST_ROWS).map(row));
}

function show(change) {
  revision = change.revision || revision;
  if (change.experiment) showExperiment(change.experiment);
  for (const trial of change.trials || []) trials.set(trial.name, trial);
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(drawTrials);
  }
}

function enveloped(message) {
  const text = new TextEncoder().encode(JSON.stringify(message));
  const bytes = new Uint8Array(5 + text.length);
  new DataView(bytes.buffer).setUint32(1, text.length);
  bytes.set(text, 5);
  return bytes;
}

function joined(first, second) {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

// Calls `receive` with each message of the stream, and returns the error that it ended with.
async function watch(receive) {
  const response = await fetch("nni_proto.v1.ExperimentService/WatchExperiment", {
    method: "POST",
    headers: { "Content-Type": "application/connect+json", "Connect-Protocol-Version": "1" },
    body: enveloped({ name: experiment, afterRevision: revision }),
  });
  if (!response.ok) return (await response.json()).message || `status ${response.status}`;
  const reader = response.body.getReader();
  let bytes = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return "the connection ended";
    bytes = joined(bytes, value);
    while (bytes.length >= 5) {
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
      if (bytes.length < 5 + length) break;
      const message = JSON.parse(new TextDecoder().decode(bytes.subarray(5, 5 + length)));
      if (bytes[0] & 2) return message.error ? message.error.message : "the manager has ended";
      receive(message);
      bytes = bytes.slice(5 + length);
    }
  }
}

function say(text, gone) {
  put(element("state"), text);
  element("state").classList.toggle("gone", gone);
}

async function main() {
  for (;;) {
    let problem;
    try {
      problem = await watch((change) => {
        say("Live.", false);
        show(change);
      });
    } catch (error) {
      problem = error.message;
    }
    say(`Not live since ${new Date().toLocaleTimeString()}: ${problem}. What was known stays below.`, true);
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

setInterval(drawTrials, 5000);
main();
