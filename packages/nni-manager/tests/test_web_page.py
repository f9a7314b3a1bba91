"""What the page's script shows, with a document of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.resources import files
from typing import Any

import pytest

DOCUMENT = """
const vm = require("node:vm");
class Element {
  constructor() { this.children = []; this.textContent = ""; this.dataset = { experiment: "experiments/e" };
                  this.classList = { toggle() {} }; }
  append(...more) { this.children.push(...more); }
  replaceChildren(...only) { this.children = only; }
  texts() { return [String(this.textContent), ...this.children.flatMap((child) => child.texts())]; }
}
const elements = new Map();
const document = {
  title: "", body: new Element(), createElement: () => new Element(),
  getElementById: (id) => elements.get(id) || elements.set(id, new Element()).get(id),
};
const { script, change, problem } = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
const context = vm.createContext({
  document, setInterval() {}, setTimeout() {}, TextEncoder, TextDecoder, DataView,
  requestAnimationFrame: (draw) => draw(),
  fetch: async () => ({ ok: false, status: 500, json: async () => ({ message: problem }) }),
});
vm.runInContext(script, context);
setImmediate(() => {
  context.show(change);
  console.log(JSON.stringify([document.title, ...[...elements.values()].flatMap((each) => each.texts())]));
});
"""


def shown(change: dict[str, Any], problem: str = "") -> list[str]:
    """Returns every text of the page after a change; the call to watch ended with the problem."""
    return run(DOCUMENT, change, problem)


def run(program: str, change: dict[str, Any], problem: str) -> Any:
    """Runs the page's script in a program, and returns what that prints."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    script = (files("nni_manager.web") / "static" / "page.js").read_text("utf-8")
    given = json.dumps({"script": script, "change": change, "problem": problem})
    done = subprocess.run([node, "-e", program], input=given, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def change(text: str) -> dict[str, Any]:
    """Returns a change in which everything that comes from people or their programs is this text."""
    value = {
        "objectValue": {
            "fields": [{"key": text, "value": {"listValue": {"values": [{"stringValue": text}]}}}]
        }
    }
    trial = {
        "name": "experiments/e/trials/t",
        "status": "STATUS_FAILED",
        "endReason": {"message": text},
        "waitingReason": text,
        "parameters": value,
        "finalResult": value,
        "latestIntermediate": value,
    }
    experiment = {
        "name": "experiments/e",
        "config": {"experimentName": text},
        "status": "STATUS_ERROR",
        "endReason": {"message": text},
        "bestTrial": trial,
        "directory": f"/home/{text}",
        "errors": [text],
        "warnings": [text],
    }
    return {"revision": "1", "experiment": experiment, "trials": [trial]}


CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"{ord(control):04x}")
def test_nothing_turns_the_order_of_the_text_around(control: str) -> None:
    texts = shown(change(f"a{control}b"), f"p{control}q")
    assert [text for text in texts if control in text] == []
    escaped = f"a\\u{ord(control):04x}b"
    assert sum(text.count(escaped) for text in texts) == 18  # the facts 10, the row 8
    assert any(f"p\\u{ord(control):04x}q" in text for text in texts)


def test_other_text_is_shown_as_it_is() -> None:
    text = "\u03b1 学習 \u05d0\u05d1 👩\u200d🔬 <b>&amp;</b>"
    texts = shown(change(text))
    assert text in texts and f'{text}: ["{text}"]' in texts


def test_the_best_trial_is_that_of_the_record() -> None:
    """Row 103: the page does not rank by itself, and so never by a mode that is not the experiment's."""
    trials = [
        {
            "name": f"experiments/e/trials/{number}",
            "sequenceNumber": number,
            "status": "STATUS_SUCCEEDED",
            "parameters": {"doubleValue": number},
            "finalResult": {"doubleValue": result},
        }
        for number, result in enumerate([5.5, 2.5, 7.5])
    ]
    for best in trials:
        record = {"name": "experiments/e", "status": "STATUS_DONE", "bestTrial": best}
        texts = shown({"revision": "1", "experiment": record, "trials": trials})
        number = best["sequenceNumber"]
        expected = f"{best['finalResult']['doubleValue']} by trial {number} ({number})"
        assert texts[texts.index("Best final result") + 1] == expected


BREAKS = """
let call = 0;
const bytes = (() => {
  const text = new TextEncoder().encode(JSON.stringify(change));
  const all = new Uint8Array(5 + text.length);
  new DataView(all.buffer).setUint32(1, text.length);
  all.set(text, 5);
  return all;
})();
const answers = [{ value: bytes.slice(0, 9) }, { value: bytes.slice(9) }];
context.fetch = async () => {
  if (call++) throw new TypeError(problem);
  return { ok: true, body: { getReader: () => ({ read: async () => {
    if (answers.length) return answers.shift();
    seen.push(texts());
    throw new TypeError(problem);
  } }) } };
};
context.setTimeout = (again) => { seen.push(texts()); if (call < 3) again(); else end(); };
"""
"""One message in two parts; then the connection breaks, and nobody is there any more."""


def test_it_keeps_what_it_has_and_says_when_its_manager_has_gone() -> None:
    live, *gone = moments(change("known"), "nobody answers")
    assert "Live." in live
    assert len(gone) == 3
    for texts in gone:
        assert [text for text in texts if text.startswith("Not live since")] != []
        assert any("nobody answers. What was known stays below." in text for text in texts)
        assert set(live) - {"Live."} <= set(texts) and "FAILED (known)" in texts


def moments(change: dict[str, Any], problem: str) -> list[list[str]]:
    """Returns every text of the page when it has the change and after each call that nobody answers."""
    start = "vm.runInContext(script, context);\n"
    document = DOCUMENT.replace(start, BREAKS + start)
    helpers = """
const seen = [];
const texts = () => [document.title, ...[...elements.values()].flatMap((each) => each.texts())];
const end = () => console.log(JSON.stringify(seen));
"""
    document = document.replace("const context =", helpers + "const context =")
    document = document[: document.index("setImmediate")]
    return run(document, change, problem)
