import { Dialog } from "../ui/Dialog";
import { later } from "./later";
import { openPanel, type PanelName } from "./open_panel";
import { SHORTCUTS } from "./shortcuts";

const LogsPanel = later(async () => (await import("./LogsPanel")).default);
const ConfigurationPanel = later(async () => (await import("./ConfigurationPanel")).default);
const SearchSpacePanel = later(async () => (await import("./SearchSpacePanel")).default);

const TITLES: Record<PanelName, string> = {
  logs: "Logs",
  configuration: "Configuration",
  "search space": "Search space",
  shortcuts: "Keyboard shortcuts",
};

/** The panel that is open; the frame has it once. */
export function Panels() {
  const name = openPanel.value;
  if (name === undefined) return null;
  return (
    <Dialog
      title={TITLES[name]}
      size={name === "shortcuts" ? "normal" : "side"}
      onClose={() => {
        openPanel.value = undefined;
      }}
    >
      {name === "logs" && <LogsPanel />}
      {name === "configuration" && <ConfigurationPanel />}
      {name === "search space" && <SearchSpacePanel />}
      {name === "shortcuts" && <ShortcutsPanel />}
    </Dialog>
  );
}

function ShortcutsPanel() {
  return (
    <dl class="shortcuts">
      {SHORTCUTS.map((one) => (
        <div key={one.keys}>
          <dt>
            {one.keys.split(" ").map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{one.does}</dd>
        </div>
      ))}
      <div>
        <dt>
          <kbd>↑</kbd>
          <kbd>↓</kbd>
          <kbd>Enter</kbd>
        </dt>
        <dd>Go from row to row of a table, and open one</dd>
      </div>
      <div>
        <dt>
          <kbd>Esc</kbd>
        </dt>
        <dd>Close a panel, a dialog or a menu</dd>
      </div>
    </dl>
  );
}
