import { client } from "../../api/client";
import { type Listed, listedOf } from "./listed";

/** Returns all experiments of the folder, the newest first. */
export async function allExperiments(signal: AbortSignal): Promise<Listed[]> {
  const all: Listed[] = [];
  let pageToken = "";
  do {
    const page = await client.listExperiments({ pageSize: 1000, pageToken }, { signal });
    all.push(...page.experiments.map(listedOf));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return all;
}
