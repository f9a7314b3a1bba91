import { computed } from "@preact/signals";
import { connection, experiment } from "../../api/live";
import { maySteer } from "../../app/router";
import { Experiment_Status } from "../../generated/nni_proto/v1/experiment_pb";

const OVER = new Set([Experiment_Status.STOPPED, Experiment_Status.VIEWED]);

/** Whether trials can be added and stopped: not by a view-only sign-in, and not once the experiment is over. */
export const mayChangeTrials = computed(
  () =>
    maySteer.value &&
    connection.value.state !== "ended" &&
    experiment.value !== undefined &&
    !OVER.has(experiment.value.status),
);
