import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { visible } from "../../ui/text";
import type { Listed } from "./listed";

/** The link to an experiment's own page, where the browser could not be sent there. */
export function LinkDialog({ one, link, onClose }: { one: Listed; link: string; onClose: () => void }) {
  return (
    <Dialog title={`Open ${visible(one.title)}`} onClose={onClose}>
      <p>
        Another manager runs this experiment and has its page. This link signs one browser in and works for
        ten minutes:
      </p>
      <p class="sign-in-link">
        <a href={link} target="_blank" rel="noreferrer">
          {link}
        </a>{" "}
        <Copy text={link} label="Copy the link" />
      </p>
      <p class="hint">
        If this browser does not reach that address, forward its port or run{" "}
        <code>nnictl webui url {one.id}</code> where the experiment runs.
      </p>
    </Dialog>
  );
}
