/** How numbers, durations and times are written in charts. */

export type ValueKind = "number" | "category" | "duration" | "time";

/** A number with up to `digits` significant ones, without needless zeros. */
export function formatNumber(value: number, digits = 5): string {
  if (Number.isNaN(value)) return "no value";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "-infinity";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  if (size >= 1e7 || size < 1e-4) return tidyExponent(value.toExponential(digits - 1));
  return String(Number(value.toPrecision(digits)));
}

function tidyExponent(text: string): string {
  const [digits = "", exponent = ""] = text.split("e");
  const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
  return `${short}e${exponent.replace("+", "")}`;
}

/** A duration of `seconds`, in the two largest units that matter. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "no value";
  const sign = seconds < 0 ? "-" : "";
  const size = Math.abs(seconds);
  if (size < 60) return `${sign}${formatNumber(size, 3)} s`;
  const whole = Math.round(size);
  const units: [number, string][] = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([length]) => whole >= length);
  const parts = units.slice(first, first + 2).map(([length, unit], place) => {
    const count = Math.floor((place === 0 ? whole : whole % (units[first]?.[0] ?? 1)) / length);
    return count > 0 ? `${count} ${unit}` : "";
  });
  return sign + parts.filter(Boolean).join(" ");
}

/** A time, in seconds since 1970, in the reader's time zone. */
export function formatTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return "no value";
  return new Date(seconds * 1000).toLocaleString();
}

/** A share between 0 and 1 as a percentage. */
export function formatShare(share: number): string {
  return `${formatNumber(share * 100, 3)} %`;
}

/** A value of a column of the kind; `categories` are the texts that a category's number stands for. */
export function formatValue(value: number, kind: ValueKind, categories: readonly string[] = []): string {
  if (Number.isNaN(value)) return "no value";
  if (kind === "category") return categories[value] ?? "no value";
  if (kind === "duration") return formatDuration(value);
  if (kind === "time") return formatTime(value);
  return formatNumber(value);
}

/** "1 trial", "1,200 trials". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
