/** Charts as files. */

/** What a saved picture shows besides the chart. */
export interface Caption {
  title: string;
  /** The CSS colours of text and background, and the font. */
  text: string;
  background: string;
  font: string;
}

const TITLE_HEIGHT = 44;
const TITLE_SIZE = 16;

/** Returns a file name for a title: nothing in it that a file system minds. */
export function fileName(title: string, ending: string): string {
  const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
  return `${name.slice(0, 100) || "chart"}.${ending}`;
}

/** Returns the SVG of a chart with a title above it. */
export function titledSvg(inner: string, width: number, height: number, caption: Caption): string {
  const all = height + TITLE_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${all}" viewBox="0 0 ${width} ${all}">`,
    `<rect width="100%" height="100%" fill="${escaped(caption.background)}"/>`,
    `<text x="12" y="28" fill="${escaped(caption.text)}" font-family="${escaped(caption.font)}"`,
    ` font-size="${TITLE_SIZE}" font-weight="600">${escaped(caption.title)}</text>`,
    `<g transform="translate(0 ${TITLE_HEIGHT})">${inner}</g></svg>`,
  ].join("");
}

function escaped(text: string): string {
  const marks: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (mark) => marks[mark] ?? mark);
}

/** Returns the PNG of a drawn chart with a title above it. */
export function titledPng(drawn: HTMLCanvasElement, ratio: number, caption: Caption): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width;
  canvas.height = drawn.height + TITLE_HEIGHT * ratio;
  const context = canvas.getContext("2d");
  if (context === null) return Promise.reject(new Error("this browser draws no pictures"));
  context.fillStyle = caption.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = caption.text;
  context.font = `600 ${TITLE_SIZE * ratio}px ${caption.font}`;
  context.fillText(caption.title, 12 * ratio, 28 * ratio);
  context.drawImage(drawn, 0, TITLE_HEIGHT * ratio);
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))),
      "image/png",
    );
  });
}
