import { expect, it } from "vitest";
import { parseJson } from "./parse_json";
import { yamlText } from "./yaml_text";

it("writes what nnictl reads", () => {
  const config = parseJson(`{
    "experimentName": "a: b", "trialCommand": "python3 x.py --lr 1", "searchSpace": {
      "lr": {"_type": "loguniform", "_value": [1e-05, 0.1]}, "on": {"_type": "choice", "_value": ["yes", 1, 1.0]}},
    "machineList": [{"host": "h", "port": 22}, {"host": "i"}], "empty": {}, "nothing": [], "big": 1e300, "x": NaN,
    "nested": [[1, 2], [3]]}`);
  expect(yamlText(config)).toBe(`experimentName: "a: b"
trialCommand: python3 x.py --lr 1
searchSpace:
  lr:
    _type: loguniform
    _value: [0.00001, 0.1]
  "on":
    _type: choice
    _value: ["yes", 1, 1.0]
machineList:
  - host: h
    port: 22
  - host: i
empty: {}
nothing: []
big: 1.0e+300
x: .nan
nested:
  - [1, 2]
  - [3]
`);
});

it.each([
  "",
  " x",
  "x ",
  "- x",
  "1",
  "1e3",
  "true",
  "No",
  "a # b",
  "a: b",
  "é\u0007",
  "@a",
  "x:",
  "a, b",
  "\u202e",
])("quotes %j", (text) => {
  const written = yamlText(parseJson(JSON.stringify(text)));
  expect(written.startsWith('"')).toBe(true);
  expect(JSON.parse(written)).toBe(text);
});
