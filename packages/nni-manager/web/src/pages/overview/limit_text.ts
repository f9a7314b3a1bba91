const LARGEST = 2 ** 31 - 1;

/** Returns what is wrong with a limit as it was written, undefined for nothing. */
export function limitProblem(text: string, { required }: { required: boolean }): string | undefined {
  if (text === "") return required ? "a whole number from 1 is needed" : undefined;
  if (!/^\d+$/.test(text) || Number(text) < 1) return `${JSON.stringify(text)} is not a whole number from 1`;
  return Number(text) > LARGEST ? `at most ${LARGEST} is allowed` : undefined;
}

/** Returns a limit that has no problem as a number. */
export function wholeNumber(text: string): number {
  return Number.parseInt(text, 10);
}
