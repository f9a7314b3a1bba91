import { useState } from "preact/hooks";
import { Button } from "./Button";
import { copyText } from "./clipboard";
import { toast } from "./Toast";

/** A button that copies a text. Without children it is an icon with its label as tool tip. */
export function Copy({ text, label, children }: { text: string; label: string; children?: string }) {
  const [done, setDone] = useState(false);
  async function copy(): Promise<void> {
    if (await copyText(text)) {
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } else {
      toast("The browser does not allow copying; select the text instead.", "failed");
    }
  }
  return (
    <Button
      kind="quiet"
      class="copy"
      icon={done ? "check" : "copy"}
      label={done ? "Copied" : label}
      onClick={copy}
    >
      {children}
    </Button>
  );
}
