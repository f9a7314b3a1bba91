/** Tooltips, made of elements: what a trial was named is text and nothing else. */

import type { TooltipComponentOption } from "echarts";
import type { Description, Mark, Picture } from "./picture";
import type { Theme } from "./theme";

/** Returns the element that shows a description. */
export function tooltipElement(description: Description): HTMLElement {
  const box = document.createElement("div");
  box.className = "chart-tooltip";
  const title = document.createElement("strong");
  title.textContent = description.title;
  const list = document.createElement("dl");
  for (const [name, value] of description.lines) {
    const term = document.createElement("dt");
    term.textContent = name;
    const text = document.createElement("dd");
    text.textContent = value;
    list.append(term, text);
  }
  box.append(title, list);
  return box;
}

/** Returns the option of tooltips; `picture` returns the picture that is shown at the moment. */
export function tooltipOption(picture: () => Picture, theme: Theme): TooltipComponentOption {
  return {
    trigger: "item",
    confine: true,
    transitionDuration: theme.reducedMotion ? 0 : 0.1,
    backgroundColor: theme.background,
    borderColor: theme.line,
    padding: 8,
    textStyle: { color: theme.text, fontFamily: theme.font, fontSize: 13 },
    formatter: (params) => {
      const item = Array.isArray(params) ? params[0] : params;
      const mark: Mark = { seriesIndex: item?.seriesIndex ?? -1, dataIndex: item?.dataIndex ?? -1 };
      const description = picture().describe(mark);
      return description ? tooltipElement(description) : "";
    },
  };
}
