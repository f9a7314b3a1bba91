/** Numbers, times and durations as people read them. */

import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** Returns a number with at most so many significant digits, in exponent form where that is shorter. */
export function formatNumber(value: number, digits = 6): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  return String(Number(value.toPrecision(digits)));
}

/** Returns a duration with its two largest units, such as 3 h 12 min. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  const whole = Math.max(0, seconds);
  if (whole < 1) return `${Math.round(whole * 1000)} ms`;
  if (whole < 10) return `${whole.toFixed(1)} s`;
  const rounded = Math.round(whole);
  const [days, hours] = [Math.floor(rounded / 86400), Math.floor(rounded / 3600) % 24];
  const minutes = Math.floor(rounded / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${rounded % 60} s`;
  return `${rounded} s`;
}

/** Returns a time of this day as the time, of another day with its date, in the reader's time zone. */
export function formatTime(seconds: number, now: Date = new Date()): string {
  const date = new Date(seconds * 1000);
  const pad = (value: number): string => String(value).padStart(2, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}

/** Returns a size in bytes with its unit. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** Returns a share as a percentage. */
export function formatShare(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** Returns a time of the protocol as seconds since 1970, undefined for none. */
export function secondsOf(time: Timestamp | Duration | undefined): number | undefined {
  return time === undefined ? undefined : Number(time.seconds) + time.nanos / 1e9;
}
