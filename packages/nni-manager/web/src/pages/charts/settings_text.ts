/** Settings as texts, as an address holds them. */

import type { ScaleChoice } from "../../charts/axes";

/** What a reader chose, by the name of the setting. */
export type Settings = Record<string, string>;

/** Whether something that was read back is settings. */
export function isSettings(value: unknown): value is Settings {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string")
  );
}

/** Returns settings with some of them changed; an empty text takes one away. */
export function merged(settings: Settings, change: Settings): Settings {
  const all = { ...settings, ...change };
  return Object.fromEntries(Object.entries(all).filter(([, text]) => text !== ""));
}

/** Returns the text of a setting if it is one of those allowed, else the first of them. */
export function oneOf<T extends string>(text: string | undefined, allowed: readonly [T, ...T[]]): T {
  return allowed.find((one) => one === text) ?? allowed[0];
}

/** Returns the names in a setting that is a list; undefined when it is none. */
export function listOf(text: string | undefined): string[] | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the scales in a setting, by the name of the column. */
export function scalesOf(text: string | undefined): Record<string, ScaleChoice> {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    if (!isSettings(value)) return {};
    return Object.fromEntries(
      Object.entries(value).map(([name, scale]) => [
        name,
        oneOf<ScaleChoice>(scale, ["automatic", "linear", "logarithmic"]),
      ]),
    );
  } catch {
    return {};
  }
}

/** Returns the number in a setting; undefined when it is none. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
