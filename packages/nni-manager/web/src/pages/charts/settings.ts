/** What a reader chose for each kind of chart: in the address, so that it can be linked, and remembered. */

import { useCallback, useMemo } from "preact/hooks";
import { href, place, replace, shownExperiment } from "../../app/router";
import { isSettings, merged, type Settings } from "./settings_text";

const PREFIX = "nni.charts.";

function read(key: string): Settings {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    return isSettings(value) ? value : {};
  } catch {
    return {};
  }
}

function write(key: string, settings: Settings): void {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(settings));
  } catch {
    // Nothing is lost but the memory of it.
  }
}

/**
 * Returns the settings of a kind of chart and what changes them. Those in the address come before those
 * remembered. The filter is one for all kinds.
 */
export function useSettings(kind: string): [Settings, (change: Settings) => void] {
  const name = shownExperiment.value;
  const query = place.value.query.toString();
  const settings = useMemo(() => {
    const linked = Object.fromEntries(new URLSearchParams(query));
    const before = Object.keys(linked).length > 0 ? {} : { ...read(`${name}.${kind}`), ...read(name) };
    return { ...before, ...linked };
  }, [name, kind, query]);
  const change = useCallback(
    (more: Settings) => {
      const next = merged(settings, more);
      const { filter = "", ...others } = next;
      write(`${name}.${kind}`, others);
      write(name, filter === "" ? {} : { filter });
      replace(href("charts", kind, new URLSearchParams(next)));
    },
    [settings, name, kind],
  );
  return [settings, change];
}
