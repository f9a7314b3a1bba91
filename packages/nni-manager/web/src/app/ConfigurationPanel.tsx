import { useState } from "preact/hooks";
import { configValue } from "../api/config_value";
import { experiment } from "../api/live";
import { idOf } from "../api/page_facts";
import { jsonText } from "../api/values";
import { yamlText } from "../api/yaml_text";
import { Button } from "../ui/Button";
import { Copy } from "../ui/Copy";
import { saveAs } from "../ui/clipboard";
import { Tabs } from "../ui/Tabs";
import { visible } from "../ui/text";

const FORMS = [
  { id: "yaml", label: "YAML" },
  { id: "json", label: "JSON" },
] as const;

/** The configuration as it can be run again; the service leaves secrets out. */
export default function ConfigurationPanel() {
  const [form, setForm] = useState<"yaml" | "json">("yaml");
  const shown = experiment.value;
  if (shown?.config === undefined) return <p class="quiet">Loading ...</p>;
  const value = configValue(shown.config);
  const text = form === "yaml" ? yamlText(value) : `${jsonText(value, 2)}\n`;
  return (
    <Tabs label="Form" tabs={FORMS} selected={form} onSelect={setForm}>
      <div class="panel-tools">
        <Copy text={text} label="Copy the configuration">
          Copy
        </Copy>
        <Button kind="quiet" icon="download" onClick={() => saveAs(`${idOf(shown.name)}.${form}`, text)}>
          Download
        </Button>
        <span class="quiet">Passwords, keys and tokens are left out.</span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by keys */}
      <pre class="code" tabIndex={0}>
        {visible(text)}
      </pre>
    </Tabs>
  );
}
