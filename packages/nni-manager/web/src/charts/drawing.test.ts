// @vitest-environment happy-dom

import type { ECharts } from "echarts";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Drawing, type Listener } from "./drawing";
import { frame } from "./made_tables";
import { emptyPicture, type Picture } from "./picture";
import { scaled } from "./zoom";

type Handler = (event: object) => void;

function setUp() {
  const handlers: Record<string, Handler> = {};
  const actions: Record<string, unknown>[] = [];
  const drawn: Record<string, unknown>[] = [];
  const chart = {
    on: (name: string, handler: Handler) => {
      handlers[name] = handler;
    },
    resize: () => {},
    dispose: () => {},
    setOption: (option: Record<string, unknown>) => drawn.push(option),
    dispatchAction: (action: Record<string, unknown>) => actions.push(action),
  };
  const listener = {
    onPress: vi.fn<Listener["onPress"]>(),
    onOpen: vi.fn<Listener["onOpen"]>(),
    onArea: vi.fn<Listener["onArea"]>(),
    onIntervals: vi.fn<Listener["onIntervals"]>(),
  };
  const drawing = new Drawing(chart as unknown as ECharts, () => listener);
  const tell = (name: string, event: object = {}) => handlers[name]?.(event);
  return { drawing, listener, tell, actions, drawn };
}

const picture: Picture = {
  ...emptyPicture(""),
  option: {
    dataZoom: [{ type: "inside", id: "zoom-x" }],
    legend: { data: ["a"] },
    parallelAxis: [{ min: 1, max: 5 }],
  },
  describe: ({ dataIndex }) => ({ title: "Trial", lines: [], trial: `t${dataIndex}` }),
};

describe("Drawing", () => {
  let all = setUp();
  beforeEach(() => {
    all = setUp();
    all.drawing.draw(picture, frame.theme);
  });

  it("keeps the zoom and what is hidden over redraws, until another question", () => {
    all.tell("datazoom", { batch: [{ dataZoomId: "zoom-x", start: 10, end: 20 }] });
    all.tell("legendselectchanged", { selected: { a: false } });
    all.drawing.draw(picture, frame.theme);
    expect(all.drawn.at(-1)?.["dataZoom"]).toEqual([{ type: "inside", id: "zoom-x", start: 10, end: 20 }]);
    expect(all.drawn.at(-1)?.["legend"]).toEqual({ data: ["a"], selected: { a: false } });
    all.drawing.forget();
    all.drawing.draw(picture, frame.theme);
    expect(all.drawn.at(-1)?.["dataZoom"]).toEqual([{ type: "inside", id: "zoom-x" }]);
  });

  it("waits with a redraw while somebody points at a mark", () => {
    all.tell("mouseover");
    all.drawing.draw(picture, frame.theme);
    expect(all.drawn).toHaveLength(1);
    all.tell("mouseout");
    expect(all.drawn).toHaveLength(2);
    all.tell("mouseout");
    expect(all.drawn).toHaveLength(2);
  });

  it("does not wait with another question", () => {
    all.tell("mouseover");
    all.drawing.forget();
    all.drawing.draw(picture, frame.theme);
    expect(all.drawn).toHaveLength(2);
  });

  it("tells what was pressed and opens trials", () => {
    all.tell("click", { seriesIndex: 0, dataIndex: 3 });
    expect(all.listener.onPress.mock.calls[0]?.[1]?.trial).toBe("t3");
    all.tell("dblclick", { seriesIndex: 0, dataIndex: 4 });
    expect(all.listener.onOpen).toHaveBeenCalledWith("t4");
  });

  it("keeps stretches within their axis", () => {
    all.drawing.setIntervals(0, [
      [Number.NEGATIVE_INFINITY, 3],
      [7, 9],
    ]);
    expect(all.actions.at(-1)).toMatchObject({ parallelAxisId: "axis-0", intervals: [[1, 3]] });
  });

  it("zooms what can be zoomed", () => {
    all.drawing.change((zoom, ids) => scaled(zoom, ids, 0.5));
    expect(all.actions.at(-1)).toEqual({
      type: "dataZoom",
      batch: [{ dataZoomId: "zoom-x", start: 25, end: 75 }],
    });
  });

  it("does nothing after its end", () => {
    all.drawing.end();
    all.drawing.draw(picture, frame.theme);
    all.drawing.point({ seriesIndex: 0, dataIndex: 0 });
    expect(all.drawn).toHaveLength(1);
    expect(all.actions).toEqual([]);
  });
});
