import { lazy, Suspense } from "preact/compat";
import { useEffect } from "preact/hooks";
import { watch } from "../api/live";
import { OverviewPage } from "../pages/overview/OverviewPage";
import { Navigation } from "./Navigation";
import { type PageName, place, shownExperiment } from "./router";

// The overview comes first and fast; the rest is fetched when somebody goes there.
const PAGE_COMPONENTS = {
  overview: OverviewPage,
  trials: lazy(() => import("../pages/trials/TrialsPage")),
  charts: lazy(() => import("../pages/charts/ChartsPage")),
  experiments: lazy(() => import("../pages/experiments/ExperimentsPage")),
} satisfies Record<PageName, unknown>;

/** The whole page: the frame, and in it the page that the address names. */
export function App() {
  const name = shownExperiment.value;
  useEffect(() => watch(name), [name]);
  const Page = PAGE_COMPONENTS[place.value.page];
  return (
    <>
      <Navigation />
      <main id="main" tabIndex={-1} key={name}>
        <Suspense fallback={<p class="quiet">Loading ...</p>}>
          <Page />
        </Suspense>
      </main>
    </>
  );
}
