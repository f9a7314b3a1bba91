import { href, PAGES, type PageName, place } from "./router";

const LABELS: Record<PageName, string> = {
  overview: "Overview",
  trials: "Trials",
  charts: "Charts",
  experiments: "Experiments",
};

/** The links to the pages. */
export function Navigation() {
  return (
    <nav class="navigation" aria-label="Pages">
      {PAGES.map((page) => (
        <a key={page} href={href(page)} aria-current={place.value.page === page ? "page" : undefined}>
          {LABELS[page]}
        </a>
      ))}
    </nav>
  );
}
