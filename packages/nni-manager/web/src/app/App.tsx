import { useEffect } from "preact/hooks";
import { watch } from "../api/live";
import { OverviewPage } from "../pages/overview/OverviewPage";
import { ConfirmHost } from "../ui/confirm";
import { ToastHost } from "../ui/Toast";
import { Banner } from "./Banner";
import { Boundary } from "./Boundary";
import { ConnectionNote } from "./ConnectionState";
import { later } from "./later";
import { OtherExperimentNote } from "./OtherExperimentNote";
import { Panels } from "./Panels";
import { type PageName, place, shownExperiment } from "./router";
import { TopBar } from "./TopBar";

// The overview comes first and fast; the rest is fetched when somebody goes there.
const PAGE_COMPONENTS = {
  overview: OverviewPage,
  trials: later(async () => (await import("../pages/trials/TrialsPage")).default),
  charts: later(async () => (await import("../pages/charts/ChartsPage")).default),
  experiments: later(async () => (await import("../pages/experiments/ExperimentsPage")).default),
} satisfies Record<PageName, unknown>;

/** The whole page: the frame, and in it the page that the address names. */
export function App() {
  const name = shownExperiment.value;
  const { page } = place.value;
  useEffect(() => watch(name), [name]);
  const Page = PAGE_COMPONENTS[page];
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the page
      </button>
      <TopBar />
      <div class="notes">
        <ConnectionNote />
        <OtherExperimentNote />
        <Banner />
      </div>
      <main id="main" tabIndex={-1}>
        <Boundary key={`${name} ${page}`}>
          <Page />
        </Boundary>
      </main>
      <Boundary>
        <Panels />
        <ConfirmHost />
      </Boundary>
      <ToastHost />
    </>
  );
}
