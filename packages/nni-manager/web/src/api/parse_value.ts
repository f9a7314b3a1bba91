/** What people write for a value. */

import type { Value } from "../generated/nni_proto/v1/value_pb";
import { parseJson } from "./parse_json";
import { stringValue } from "./values";

/** Returns the value of a line that a person wrote: JSON where it is JSON, else the text itself. */
export function parseWord(text: string): Value {
  try {
    return parseJson(text);
  } catch {
    return stringValue(text);
  }
}
