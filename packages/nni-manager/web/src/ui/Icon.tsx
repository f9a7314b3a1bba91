const PATHS = {
  check: "M4 12.5l5 5L20 6.5",
  cross: "M6 6l12 12M18 6L6 18",
  play: "M8 5.5v13l10-6.5z",
  pause: "M8 5v14M16 5v14",
  stop: "M6.5 6.5h11v11h-11z",
  skip: "M5 6l8 6-8 6zM17 6v12",
  clock: "M12 3.5a8.5 8.5 0 100 17 8.5 8.5 0 000-17zM12 7.5V12l3 2",
  question: "M9 9a3 3 0 114.2 2.7c-.8.4-1.2 1-1.2 1.8M12 17.5v.1",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5z",
  copy: "M8.5 8.5h11v11h-11zM15.5 8.5v-4h-11v11h4",
  download: "M12 4v11M7 10.5l5 5 5-5M4.5 19.5h15",
  edit: "M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  more: "M4.5 11h2v2h-2zM11 11h2v2h-2zM17.5 11h2v2h-2z",
  down: "M6 9.5l6 6 6-6",
  right: "M9.5 6l6 6-6 6",
  left: "M14.5 6l-6 6 6 6",
  up: "M6 14.5l6-6 6 6",
  warning: "M12 4L2.5 20h19zM12 10v4.5M12 17.3v.1",
  info: "M12 3.5a8.5 8.5 0 100 17 8.5 8.5 0 000-17zM12 11v5.5M12 7.6v.1",
  search: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20",
  filter: "M4 5h16l-6 7.5V19l-4-2v-4.5z",
  columns: "M4.5 5h15v14h-15zM9.5 5v14M14.5 5v14",
  refresh: "M19.5 12a7.5 7.5 0 11-2.2-5.3L19.5 9M19.5 4.5V9H15",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M19.5 14.5A8 8 0 019.5 4.5a8 8 0 1010 10z",
  screen: "M3.5 5h17v11h-17zM9 20h6",
  keyboard: "M3 6.5h18v11H3zM7 10.5h.1M11 10.5h.1M15 10.5h.1M8 14h8",
  file: "M6 3.5h8l4 4v13H6zM14 3.5v4h4",
  link: "M10 14l4-4M8.5 11L6 13.5a3.2 3.2 0 004.5 4.5L13 15.5M11 8.5L13.5 6A3.2 3.2 0 0118 10.5L15.5 13",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l1 12.5h8L17 7",
  chart: "M4 4v16h16M7.5 15l4-5 3 3 4.5-6",
} as const;

/** The name of an icon. */
export type IconName = keyof typeof PATHS;

/** A drawing that stands beside a word or in a labelled button; it says nothing to a screen reader. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
