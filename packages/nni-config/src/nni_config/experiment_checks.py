"""What must hold between the fields of an experiment's configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nni_config.algorithms import find_algorithm, is_misspelt
from nni_config.checks import check_host, is_loopback
from nni_config.initial_parameters import initial_parameters_problems
from nni_config.optimize_mode import check_optimize_mode
from nni_config.platforms import PLATFORMS
from nni_config.problems import Problem, Report
from nni_config.search_space import search_space_problems, search_space_warnings
from nni_config.shared_checkpoints import checkpoint_problems
from nni_config.space_of_points import INITIAL_PARAMETERS_REFUSED, points_problems, takes_points

if TYPE_CHECKING:
    from nni_config.experiment import ExperimentConfig

_WITHOUT_ADDRESS = ("local", "remote")
"""The platforms on which trials need not reach the manager."""


_NO_ANNOTATION = (
    "annotations in the trial's code (@nni.variable, @nni.function_choice, @nni.report_final_result and the "
    "like) are not supported, NNI 3.0 removed them; allowed is false, with the parameters in a search space, "
    "nni.get_next_parameter() and nni.report_final_result(value) in the code: docs/migrating.md has every "
    "annotation with what takes its place"
)


def check_experiment(config: ExperimentConfig, report: Report) -> None:
    """Reports what is missing and what contradicts in a canonical configuration."""
    if config.trial_concurrency is None:
        report.add("it is not set; allowed is a whole number from 1", "trial_concurrency")
    if config.use_annotation:
        report.add(_NO_ANNOTATION, "use_annotation")
    _check_algorithms(config, report)
    _check_training_services(config, report)
    _check_search_space(config, report)
    if _has_standard_space(config) and not report.has_problem("initial_parameters"):
        report.at("initial_parameters").add_all(_initial_problems(config))
    check_optimize_mode(config, report)


def experiment_warnings(config: ExperimentConfig) -> list[str]:
    """Returns what is allowed but probably not meant."""
    warnings = [f"search_space.{warning}" for warning in search_space_warnings(config.search_space)]
    if config._replaces_search_space:
        warnings.append("search_space: search_space_file is set too, and wins")
    warnings += [*_address_warnings(config), *_placeholder_warnings(config)]
    warnings += [*_initial_warnings(config), *_endpoint_warnings(config)]
    if _has_standard_space(config):
        return warnings
    problems = search_space_problems(config.search_space) if _looks_standard(config.search_space) else []
    initial = _initial_problems(config) if _looks_standard(config.search_space) else []
    return [
        *warnings,
        *(str(problem.below("search_space")) for problem in problems),
        *(str(config._located(problem.below("initial_parameters"))) for problem in initial),
    ]


def _initial_problems(config: ExperimentConfig) -> list[Problem]:
    """Returns where initial parameters do not fit the search space, if that is valid itself."""
    space = config.search_space
    if not config.initial_parameters or space is None:
        return []
    if _takes_points(config):
        return [Problem((), INITIAL_PARAMETERS_REFUSED)]
    if search_space_problems(space):
        return []
    return initial_parameters_problems(config.initial_parameters, space)


def _initial_warnings(config: ExperimentConfig) -> Iterator[str]:
    given, limit = len(config.initial_parameters or ()), config.max_trial_number
    if limit is not None and given > limit:
        yield f"initial_parameters: {given} are given, of which max_trial_number lets {limit} be tried"


def _address_warnings(config: ExperimentConfig) -> Iterator[str]:
    services = config.training_services()
    is_used = any(service.platform not in _WITHOUT_ADDRESS for service in services)
    if config.nni_manager_ip is not None and services and not is_used:
        yield "nni_manager_ip: it is not needed for trials on this machine or over SSH, and not used"
    needing = PLATFORMS.keys() - set(_WITHOUT_ADDRESS)
    if any(service.nni_manager_ip is None and service.platform in needing for service in services):
        yield f"nni_manager_ip: it is not set; trials must reach this machine{_guessed_address()}"


def _placeholder_warnings(config: ExperimentConfig) -> Iterator[str]:
    """Yields a line for each argument of a class of the user's own that looks like a template's."""
    for name in ("tuner", "assessor"):
        algorithm = getattr(config, name)
        for path, text in algorithm.placeholders() if algorithm is not None else ():
            yield str(Problem((name, *path), f"{text!r} looks like a placeholder that is not filled in"))


def _endpoint_warnings(config: ExperimentConfig) -> Iterator[str]:
    for name in ("tuner", "assessor"):
        algorithm = getattr(config, name)
        if algorithm is None or algorithm.token is None or algorithm.ca_file is not None:
            continue
        if not is_loopback(algorithm.endpoint or ""):
            where = f"it goes to {algorithm.endpoint} unencrypted"
            yield f"{name}.token: {where}; with ca_file the connection is TLS"


def _guessed_address() -> str:
    from nni_config.utils import get_ipv4_address

    try:
        return f" as {get_ipv4_address()}"
    except OSError:
        return ", which seems to be in no network"


def _check_algorithms(config: ExperimentConfig, report: Report) -> None:
    if config.tuner is not None:
        config.tuner.check_kind("tuner", report.at("tuner"))
    elif not report.has_problem("tuner"):
        # From the class on these are NNI's own words, which scripts may look for.
        report.add('ExperimentConfig: tuner must be set; allowed is for example the name "TPE"', "tuner")
    if config.assessor is not None:
        config.assessor.check_kind("assessor", report.at("assessor"))
    report.add_all(list(checkpoint_problems(config)))


def _check_training_services(config: ExperimentConfig, report: Report) -> None:
    if not config.training_services() and not report.has_problem("training_service"):
        report.add(
            "it is not set; allowed is a place to run trials, such as platform: local", "training_service"
        )
    if config.nni_manager_ip is not None:
        check_host(config, "nni_manager_ip", report)


def _check_search_space(config: ExperimentConfig, report: Report) -> None:
    if not _has_standard_space(config) and not _is_probably_standard(config, report):
        return
    if config.search_space is None and (report.has_problem("search_space_file") or config.use_annotation):
        return
    if config.search_space is None:
        report.add("one of search_space and search_space_file must be set", "search_space")
        return
    find_problems = points_problems if _takes_points(config) else search_space_problems
    report.at("search_space").add_all(find_problems(config.search_space))


def _takes_points(config: ExperimentConfig) -> bool:
    tuner = config.tuner
    return tuner is not None and tuner.class_name is None and takes_points(tuner.name)


def _has_standard_space(config: ExperimentConfig) -> bool:
    """Returns whether the tuner is a built-in one. Any other takes whatever it likes as its search space."""
    tuner = config.tuner
    if tuner is None or not tuner.name or tuner.class_name is not None:
        return False
    return find_algorithm(tuner.name, "tuner") is not None or is_misspelt(tuner.name, "tuner")


def _is_probably_standard(config: ExperimentConfig, report: Report) -> bool:
    """Returns whether the space is most likely for a built-in tuner, where the tuner given is wrong."""
    tuner = config.tuner
    is_chosen = tuner is not None and (tuner.class_name is not None or tuner.endpoint is not None)
    is_own = is_chosen or report.has_problem("tuner", "class_name")
    return not is_own and _looks_standard(config.search_space)


def _looks_standard(space: object) -> bool:
    return isinstance(space, dict) and any(
        isinstance(value, dict) and "_type" in value for value in space.values()
    )
