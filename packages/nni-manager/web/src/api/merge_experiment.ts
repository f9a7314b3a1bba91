import type { Experiment } from "../generated/nni_proto/v1/experiment_pb";

/** Returns the newer experiment with what steps of a watch leave out taken from the one before. */
export function mergeExperiment(before: Experiment | undefined, newer: Experiment): Experiment {
  const versions = before?.origin?.packageVersions;
  if (versions === undefined || newer.origin === undefined) return newer;
  if (Object.keys(newer.origin.packageVersions).length > 0) return newer;
  return { ...newer, origin: { ...newer.origin, packageVersions: versions } };
}
