/** Durations as configurations write them, such as 1.5h, in seconds. */

import type { WrittenDuration } from "../generated/nni_proto/v1/experiment_config_pb";

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Returns a written duration in seconds, undefined for none. */
export function writtenSeconds(duration: WrittenDuration | undefined): number | undefined {
  const written = duration?.written;
  if (written?.case === undefined) return undefined;
  if (written.case !== "text") return Number(written.value);
  const match = /^\s*([\d.]+(?:e[-+]?\d+)?)\s*([smhd])?\s*$/i.exec(written.value);
  if (match === null) return undefined;
  return Number(match[1]) * (UNITS[(match[2] ?? "s").toLowerCase()] ?? 1);
}

/** Returns a written duration as it was written, "" for none. */
export function writtenText(duration: WrittenDuration | undefined): string {
  const written = duration?.written;
  return written?.case === undefined ? "" : String(written.value);
}
