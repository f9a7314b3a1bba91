import { connection, experiment } from "../api/live";
import { idOf } from "../api/page_facts";
import { Experiment_Status } from "../generated/nni_proto/v1/experiment_pb";
import { Button } from "../ui/Button";
import { Copy } from "../ui/Copy";
import { formatNumber } from "../ui/format";
import { Menu } from "../ui/Menu";
import { StatusBadge } from "../ui/StatusBadge";
import { experimentLook } from "../ui/statuses";
import { visible } from "../ui/text";
import { acting, pause, stop, unpause } from "./actions";
import { ConnectionState } from "./ConnectionState";
import { secondsSinceRead } from "./clock";
import { Navigation } from "./Navigation";
import { openPanel, type PanelName } from "./open_panel";
import { goesOn, progressOf } from "./progress";
import { maySteer } from "./router";
import { isDark, THEMES, theme } from "./theme";

const PANELS: readonly { name: PanelName; label: string }[] = [
  { name: "logs", label: "Logs" },
  { name: "configuration", label: "Configuration" },
  { name: "search space", label: "Search space" },
  { name: "shortcuts", label: "Keyboard shortcuts" },
];
const THEME_LABELS = { system: "As the system", light: "Light", dark: "Dark" };

/** The bar at the top: which experiment this is, how it goes, and what can be done with it. */
export function TopBar() {
  return (
    <header class="top-bar">
      <div class="top-line">
        <Name />
        <div class="top-actions">
          {maySteer.value && <Actions />}
          <Menu
            kind="quiet"
            icon="more"
            label="More"
            items={PANELS.map((panel) => ({
              label: panel.label,
              onSelect: () => {
                openPanel.value = panel.name;
              },
            }))}
          />
          <Menu
            kind="quiet"
            icon={isDark.value ? "moon" : "sun"}
            label="Colours"
            items={THEMES.map((one) => ({
              label: THEME_LABELS[one],
              checked: theme.value === one,
              onSelect: () => {
                theme.value = one;
              },
            }))}
          />
        </div>
      </div>
      <div class="top-line second">
        <Navigation />
        <Facts />
        <ConnectionState />
      </div>
    </header>
  );
}

function Name() {
  const shown = experiment.value;
  if (shown === undefined) return <div class="top-name" />;
  const id = idOf(shown.name);
  const title = shown.config?.experimentName ?? "";
  const look = experimentLook(shown.status);
  return (
    <div class="top-name">
      <h1 title={visible(title || id)}>{visible(title || id)}</h1>
      <span class="id quiet">
        {title !== "" && <code>{id}</code>}
        <Copy text={id} label="Copy the experiment's id" />
      </span>
      <StatusBadge look={look} more={shown.paused ? ", paused" : undefined} />
    </div>
  );
}

function Facts() {
  const shown = experiment.value;
  if (shown === undefined) return null;
  const { ended, most, share } = progressOf(shown, secondsSinceRead());
  const best = shown.bestTrial?.objective;
  return (
    <div class="top-facts">
      <span>
        {share !== undefined && (
          <progress max={1} value={share} aria-label="Progress">
            {Math.round(share * 100)} %
          </progress>
        )}
        {most === undefined ? `${ended} trials` : `${ended} of ${most} trials`}
      </span>
      {best !== undefined && (
        <span>
          best <strong>{formatNumber(best)}</strong>
        </span>
      )}
    </div>
  );
}

function Actions() {
  const shown = experiment.value;
  if (shown === undefined || connection.value.state === "ended") return null;
  const going = acting.value;
  const stopping = shown.status === Experiment_Status.STOPPING;
  return (
    <>
      {goesOn(shown) && (
        <Button
          icon={shown.paused ? "play" : "pause"}
          busy={going !== undefined || stopping}
          onClick={shown.paused ? unpause : pause}
        >
          {shown.paused ? "Resume" : "Pause"}
        </Button>
      )}
      {shown.status !== Experiment_Status.STOPPED && (
        <Button kind="danger" icon="stop" busy={going !== undefined || stopping} onClick={stop}>
          {going === "stop" || stopping ? "Stopping" : "Stop"}
        </Button>
      )}
    </>
  );
}
