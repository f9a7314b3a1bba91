/** The kinds of charts, in the order of their list. */

/** One kind. */
export interface ChartKind {
  /** Its name in the address. */
  id: string;
  label: string;
  /** The question that it answers. */
  question: string;
}

/** All kinds. */
export const KINDS = [
  { id: "history", label: "Objective history", question: "Does the search still get better?" },
  { id: "curves", label: "Intermediate results", question: "How does each trial learn?" },
  { id: "parallel", label: "Parallel coordinates", question: "Which combinations work?" },
  { id: "slices", label: "Slices", question: "Where does each parameter work?" },
  { id: "contour", label: "Contour", question: "How do two parameters work together?" },
  { id: "importance", label: "Importance", question: "Which parameters matter?" },
  { id: "correlation", label: "Rank correlation", question: "What goes together?" },
  { id: "pareto", label: "Pareto front", question: "What has two metrics to trade?" },
  { id: "durations", label: "Durations", question: "How long do trials take?" },
  { id: "timeline", label: "Timeline", question: "When did what run where?" },
] as const satisfies readonly ChartKind[];

/** The name of a kind. */
export type KindId = (typeof KINDS)[number]["id"];

/** Returns the kind that an address names; the first one for any other. */
export function kindOf(rest: string): KindId {
  return KINDS.find((kind) => kind.id === rest)?.id ?? "history";
}
