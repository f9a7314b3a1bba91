/** What a reader chose, kept in the browser. Private windows may refuse; then it lasts as long as the page. */

import { type Signal, signal } from "@preact/signals";

const PREFIX = "nni.";

/**
 * Returns a signal whose value the browser remembers.
 *
 * @param key Names it among what the page remembers.
 * @param usual Its value before anybody chose one.
 * @param isValid Whether something that was read back is a value of it.
 */
export function remembered<T>(key: string, usual: T, isValid: (value: unknown) => value is T): Signal<T> {
  const kept = signal(read(key, usual, isValid));
  kept.subscribe((value) => {
    try {
      localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // Nothing is lost but the memory of it.
    }
  });
  return kept;
}

function read<T>(key: string, usual: T, isValid: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    return isValid(value) ? value : usual;
  } catch {
    return usual;
  }
}
