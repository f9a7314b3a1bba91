"""What a trial is started with, as the manager's LaunchTrial command says."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, List, NamedTuple, Optional

from nni import processes
from nni.courier.trials import Trial
from nni.courier.values import value_from_json
from nni.runner import Run
from nni.trial_folder import TrialFolder, folder_id

_SOCKET_VARIABLE = "NNI_COURIER_SOCKET"
_SLOT_VARIABLE = "NNI_SLOT_ID"
_FOLDER_VARIABLE = "NNI_FOLDER_ID"


class Place(NamedTuple):
    """Where the trials run.

    Attributes:
        experiment_id: Their experiment.
        experiment_directory: Its folder on this machine.
        grace_seconds: How long processes that a trial left behind have after SIGTERM.
        socket_path: Where processes may ask for more trials, "" when each runs one.
    """

    experiment_id: str
    experiment_directory: str
    grace_seconds: float
    socket_path: str


def run_of(
    place: Place, trial: Trial, command: Dict[str, Any], shell: str, asking_variables: Dict[str, str]
) -> Run:
    """Returns what the runner of a process is to do that is started for a trial.

    Args:
        place: Where the trials run.
        trial: The trial.
        command: Its LaunchTrial.
        shell: The path of the shell.
        asking_variables: What it has in its environment to ask for more trials, beside the socket.
    """
    environment = {**os.environ, **trial_variables(place.experiment_id, trial, command)}
    environment[_FOLDER_VARIABLE] = folder_id(place.experiment_directory)
    if place.socket_path:
        environment[_SOCKET_VARIABLE] = place.socket_path
        environment[_SLOT_VARIABLE] = _slot_id(trial.folder)
        environment.update(asking_variables)
    return Run(
        folder=trial.folder,
        shell=shell,
        command=command["command"],
        working_directory=command["workingDirectory"],
        environment=environment,
        tags=tags(place, trial.folder),
        grace_seconds=place.grace_seconds,
        notes={"fingerprint": fingerprint(command)} if place.socket_path else {},
    )


def tags(place: Place, home: TrialFolder) -> List[List[bytes]]:
    """Returns the environment variables that tell the processes of a slot from all others.

    Args:
        place: Where the trials run.
        home: The folder of the trial that the slot was started for.
    """
    names = [f"NNI_TRIAL_JOB_ID={home.trial_id}"]
    if place.socket_path:
        names.append(f"{_SLOT_VARIABLE}={_slot_id(home)}")
    experiment = [
        f"NNI_EXP_ID={place.experiment_id}",
        f"{_FOLDER_VARIABLE}={folder_id(place.experiment_directory)}",
    ]
    return [[variable.encode() for variable in (*experiment, name)] for name in names]


def homes_of_living(place: Place) -> List[TrialFolder]:
    """Returns the homes of the slots that have processes now, whichever courier started them."""
    wanted = [f"NNI_EXP_ID={place.experiment_id}", f"{_SOCKET_VARIABLE}={place.socket_path}"]
    tag = [os.fsencode(variable) for variable in wanted]
    slots = {
        processes.variable(pid, _SLOT_VARIABLE)
        for pid in processes.all_pids()
        if processes.carries(pid, [tag])
    }
    homes = (slot.rpartition("-") for slot in sorted(slots) if slot)
    return [TrialFolder(place.experiment_directory, name, int(attempt)) for name, _, attempt in homes]


def trial_variables(experiment_id: str, trial: Trial, command: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """Returns what a trial has of its own in its environment.

    Args:
        experiment_id: The experiment.
        trial: The trial.
        command: Its LaunchTrial, None for one that an earlier courier got: then what the manager adds lacks.
    """
    variables = {
        "NNI_EXP_ID": experiment_id,
        "NNI_TRIAL_JOB_ID": trial.trial_id,
        "NNI_TRIAL_ATTEMPT": str(trial.attempt),
        "NNI_OUTPUT_DIR": trial.folder.output_directory,
        "NNI_SYS_DIR": trial.folder.system_directory,
    }
    if command is None:
        variables["NNI_TRIAL_SEQ_ID"] = str(trial.parameters_record().get("sequence_number", 0))
        return variables
    kinds = [kind[len("METRIC_KIND_") :].lower() for kind in command.get("numericKinds", ())]
    variables["NNI_TRIAL_SEQ_ID"] = str(command.get("sequenceNumber", 0))
    variables["NNI_NUMERIC_RESULTS"] = ",".join(kinds)
    for variable in command.get("environment", ()):
        variables[variable["name"]] = variable.get("value", "")
    return variables


def parameters_record(experiment_id: str, trial: Trial, command: Dict[str, Any]) -> Dict[str, Any]:
    """Returns the content of parameters.json.

    Raises:
        ValueError: The parameters are not a value of the protocol.
    """
    parameter_id = command.get("parameterId")
    return {
        "experiment_id": experiment_id,
        "trial_id": trial.trial_id,
        "attempt": trial.attempt,
        "sequence_number": command.get("sequenceNumber", 0),
        "parameter_id": None if parameter_id is None else int(parameter_id),
        "parameter_source": "customized" if parameter_id is None else "algorithm",
        "parameters": value_from_json(command["parameters"]),
    }


def fingerprint(command: Dict[str, Any]) -> str:
    """Returns what is the same for two LaunchTrial if one process may run both trials.

    That is the command, its folder, and of the environment all but what is ours (CUDA_VISIBLE_DEVICES, say).
    """
    environment = [
        (variable["name"], variable.get("value", ""))
        for variable in command.get("environment", ())
        if not variable["name"].startswith("NNI_")
    ]
    text = json.dumps([command["command"], command["workingDirectory"], sorted(environment)])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def _slot_id(home: TrialFolder) -> str:
    return f"{home.trial_id}-{home.attempt}"
