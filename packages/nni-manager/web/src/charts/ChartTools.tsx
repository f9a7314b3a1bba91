import { Button } from "../ui/Button";
import { saveAs } from "../ui/clipboard";
import { Menu } from "../ui/Menu";
import { toast } from "../ui/Toast";
import type { Drawing } from "./drawing";
import type { Picture } from "./picture";
import { type Caption, fileName, titledPng, titledSvg } from "./save";
import type { Theme } from "./theme";
import { scaled, whole } from "./zoom";

const PIXEL_RATIO = 2;

/** What the tools of a chart work on. */
export interface ChartToolsProps {
  title: string;
  picture: Picture;
  drawing: Drawing | undefined;
  theme: Theme;
  asTable: boolean;
  onTable: () => void;
  selecting: boolean;
  /** Undefined when a rectangle on the chart means nothing. */
  onSelecting?: (() => void) | undefined;
}

/** The buttons above a chart: zoom, select, table, save. */
export function ChartTools(props: ChartToolsProps) {
  const { title, picture, drawing, theme, asTable } = props;
  const zooms = !asTable && picture.option.dataZoom !== undefined;
  async function save(ending: "png" | "svg"): Promise<void> {
    if (!drawing) return;
    const caption: Caption = { title, text: theme.text, background: theme.background, font: theme.font };
    try {
      const blob =
        ending === "png"
          ? await titledPng(drawing.canvas(PIXEL_RATIO, theme.background), PIXEL_RATIO, caption)
          : await svgOf(drawing, picture, caption);
      saveAs(fileName(title, ending), blob, blob.type);
    } catch (error) {
      toast(`The picture could not be saved: ${error instanceof Error ? error.message : error}.`, "failed");
    }
  }
  return (
    <div class="chart-tools" role="toolbar" aria-label={`Tools of ${title}`}>
      {zooms && (
        <>
          <Button
            icon="plus"
            label="Zoom in"
            onClick={() => drawing?.change((zoom, ids) => scaled(zoom, ids, 0.7))}
          />
          <Button
            icon="minus"
            label="Zoom out"
            onClick={() => drawing?.change((zoom, ids) => scaled(zoom, ids, 1 / 0.7))}
          />
          <Button icon="refresh" label="Show all" onClick={() => drawing?.change((_, ids) => whole(ids))} />
        </>
      )}
      {props.onSelecting && !asTable && (
        <Button icon="filter" aria-pressed={props.selecting} onClick={props.onSelecting}>
          Select an area
        </Button>
      )}
      <Button icon="columns" aria-pressed={asTable} onClick={props.onTable}>
        Show as table
      </Button>
      <Menu
        label="Save as"
        icon="download"
        disabled={asTable || drawing === undefined}
        items={[
          { label: "Picture (PNG)", onSelect: () => void save("png") },
          { label: "Drawing (SVG)", onSelect: () => void save("svg") },
        ]}
      >
        Save
      </Menu>
    </div>
  );
}

async function svgOf(drawing: Drawing, picture: Picture, caption: Caption): Promise<Blob> {
  const [{ init }] = await Promise.all([import("./engine"), import("./engine_svg")]);
  const { width, height } = drawing.canvas(1, caption.background);
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ ...drawing.optionOf(picture), animation: false });
  const text = titledSvg(chart.renderToSVGString(), width, height, caption);
  chart.dispose();
  return new Blob([text], { type: "image/svg+xml" });
}
