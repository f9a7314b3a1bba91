/** Text that people and their programs made, as it can be shown. */

// Characters that turn the order of the text around them, so that it reads as something else.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Returns a text with the characters that turn its order around made visible. */
export function visible(text: string): string {
  return text.replace(TURNING, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Returns a text cut off after so many characters. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** Returns a count with its noun: 1 trial, 2 trials. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
