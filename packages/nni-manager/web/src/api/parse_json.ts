/** JSON as people write it, read without losing what JavaScript would: 1 and 1.0 stay apart, big integers and
 * the order of keys stay, and NaN and the infinities are numbers as in Python. */

import type { Value } from "../generated/nni_proto/v1/value_pb";
import { boolValue, doubleValue, intValue, listValue, nullValue, objectValue, stringValue } from "./values";

/** The text is not JSON; the message says where. */
export class JsonProblem extends SyntaxError {}

const NUMBER = /-?(?:NaN|Infinity|\d+(\.\d+)?([eE][+-]?\d+)?)/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const SPACE = /[ \t\r\n]*/y;
const WORDS: Record<string, () => Value> = {
  true: () => boolValue(true),
  false: () => boolValue(false),
  null: nullValue,
};
const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;

/**
 * Returns the value that a text holds.
 *
 * @throws JsonProblem when it is not JSON, a key appears twice, or an integer needs more than 64 bits.
 */
export function parseJson(text: string): Value {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  value(): Value {
    this.skip();
    const next = this.text[this.at];
    if (next === "{") return this.object();
    if (next === "[") return this.list();
    if (next === '"') return stringValue(this.string());
    for (const [word, make] of Object.entries(WORDS)) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return make();
      }
    }
    return this.number();
  }

  end(): void {
    this.skip();
    if (this.at < this.text.length) this.fail("there is something after the end of the value");
  }

  private object(): Value {
    const fields: [string, Value][] = [];
    const seen = new Set<string>();
    this.items("}", () => {
      this.skip();
      const start = this.at;
      if (this.text[this.at] !== '"') this.fail("a key in double quotes is expected");
      const key = this.string();
      if (seen.has(key)) this.fail(`the key ${JSON.stringify(key)} appears twice`, start);
      seen.add(key);
      this.skip();
      if (this.text[this.at] !== ":") this.fail("a colon is expected after the key");
      this.at += 1;
      fields.push([key, this.value()]);
    });
    return objectValue(fields);
  }

  private list(): Value {
    const values: Value[] = [];
    this.items("]", () => values.push(this.value()));
    return listValue(values);
  }

  private items(close: string, item: () => void): void {
    this.at += 1;
    this.skip();
    if (this.text[this.at] === close) {
      this.at += 1;
      return;
    }
    for (;;) {
      item();
      this.skip();
      const next = this.text[this.at];
      if (next !== "," && next !== close) this.fail(`a comma or ${close} is expected`);
      this.at += 1;
      if (next === close) return;
    }
  }

  private string(): string {
    STRING.lastIndex = this.at;
    const match = STRING.exec(this.text);
    if (match === null) return this.fail("the text in quotes does not end on its line");
    try {
      const value: unknown = JSON.parse(match[0]);
      this.at = STRING.lastIndex;
      return String(value);
    } catch {
      return this.fail("the text in quotes has a character or an escape that JSON does not allow");
    }
  }

  private number(): Value {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null)
      return this.fail("a value is expected: an object, a list, a text in double quotes, a number");
    const [written, fraction, exponent] = match;
    const start = this.at;
    this.at = NUMBER.lastIndex;
    if (fraction !== undefined || exponent !== undefined || !/\d/.test(written)) {
      return doubleValue(Number(written));
    }
    const whole = BigInt(written);
    if (whole < SMALLEST || whole > LARGEST) this.fail("the integer needs more than 64 bits", start);
    return intValue(whole);
  }

  private skip(): void {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  private fail(problem: string, at = this.at): never {
    const before = this.text.slice(0, at).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new JsonProblem(`line ${before.length}, column ${column}: ${problem}`);
  }
}
