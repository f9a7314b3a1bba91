"""The configuration of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike as OsPathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, PrivateAttr
from typing_extensions import Self

from nni_config.algorithm import AlgorithmConfig, canonical_algorithm
from nni_config.algorithms import AlgorithmKind
from nni_config.base import ConfigBase
from nni_config.experiment_checks import check_experiment, experiment_warnings
from nni_config.fields import (
    Duration,
    FailedTrialResult,
    GpuIndices,
    JsonObjects,
    NonNegativeInt,
    PathLike,
    PositiveInt,
    filled_in,
    required,
)
from nni_config.names import comparable
from nni_config.open_types import MaybeNone, TrainingServices
from nni_config.optimize_mode import take_modes_of_instances
from nni_config.origin import Origin
from nni_config.paths import absolute_path, default_experiments_directory
from nni_config.plain import NotPlainError, plain_value
from nni_config.problems import InvalidConfigError, Problem, Report
from nni_config.shared_storage import SharedStorageConfig
from nni_config.training_service import TrainingServiceConfig, training_service_class

if TYPE_CHECKING:
    from nni_config.v1_conversion import Conversion

LogLevel = Literal["fatal", "critical", "error", "warning", "info", "debug", "trace"]
"""How much is logged; fatal and critical are the same."""

StopSignal = Literal["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL"]
"""The first signal of a stop."""


class ExperimentConfig(ConfigBase):
    """The configuration of an experiment.

    `ExperimentConfig("local")` is a template: it has a training service, and algorithms to be named.

    Attributes:
        experiment_name: A name for people. Rule: any text.
        experiment_type: What is searched.
        search_space_file: A JSON or YAML file with the search space. Rule: it wins over search_space.
        search_space: Parameter names with {"_type", "_value"}. Rule: needed with a built-in tuner, here or as
            a file; anything for a tuner of one's own.
        trial_command: The command of each trial, run by bash. Rule: not blank; needed here or in the training
            service, unless the roles of the platform have commands of their own.
        trial_code_directory: The folder that trials run in. Rule: an existing folder.
        trial_concurrency: How many trials may run at the same time. Unit: trials.
        trial_gpu_number: How many GPUs each trial needs. 0 hides every GPU, None changes nothing. Unit: GPUs.
            Rule: above 0, local trials need use_active_gpu; needed on OpenPAI.
        max_experiment_duration: After this long no new trial starts. None is without end.
        max_trial_number: After this many trials no new one starts. None is without end. Unit: trials.
        max_trial_duration: A trial that runs longer is canceled. None is without end.
        nni_manager_ip: The address at which trials on other machines reach the manager. Rule: the name or
            address of a machine; not used for local and remote trials.
        use_annotation: Whether parameters are written as annotations in the trial's code. Rule: always false;
            annotations are not supported.
        debug: Log more; the same as the log level "debug".
        log_level: How much manager, tuner and client log. None is "debug" if debug is true, else "info".
        experiment_working_directory: The folder that holds the experiment's folder. None is
            ~/nni-experiments.
        tuner_gpu_indices: The GPUs that the tuner sees, None for none.
        tuner: The algorithm that proposes parameters. Rule: needed, here or as advisor.
        assessor: The algorithm that stops trials early.
        advisor: Another name for tuner, kept for NNI's configurations. Rule: not beside tuner.
        training_service: Where trials run. Rule: one or more; the preferred ones first.
        shared_storage: Storage that trials on several machines share.
        optimize_mode: Whether larger or smaller results are better. None asks the algorithms' arguments.
            Rule: the same as in the algorithms' arguments.
        on_limit: What happens to running trials at a limit of the experiment. None is "finish".
        trial_stop_signal: The first signal sent to a trial that is to stop. None is SIGINT.
        trial_stop_grace_period: How long a trial has between two signals. None is 5 seconds.
        stop_on_early_failures: End when the first trials all fail without a report. None is true.
        snapshot_code: Run every trial in one copy of the code folder, taken at the start. None is false.
        max_trial_retries: How often a trial is run again that died by a signal or with its machine, with the
            same parameters. None is 0. Unit: attempts.
        max_failed_trial_number: After this many failed trials the experiment ends as ERROR. None is without
            end. Unit: trials.
        failed_trial_result: What the tuner is told as the result of a trial that failed without one: "ignore"
            for nothing, "worst" for the worst result of any trial so far, or a number. The trial counts as
            failed all the same, and its record has no result. None is "ignore".
        keep_best_checkpoints: Of the folders "checkpoints" in the trials' output folders, those of so many
            trials with the best results are kept; with keep_last_checkpoints, those of both. None keeps all.
            Unit: trials.
        keep_last_checkpoints: The same for the trials that ended last. None keeps all. Unit: trials.
        initial_parameters: Parameters that are tried first, in this order; they count as trials, and the
            tuner is told their results. Where some are missing the tuner adds them. Rule: within the search
            space of a built-in tuner.
    """

    # Whoever loads this class makes one; without it the first one would take long.
    model_config = ConfigDict(defer_build=False)

    _place: ClassVar[str | None] = ""
    _loaded_search_space_file: str | None = PrivateAttr(default=None)
    _search_space_origin: Origin | None = PrivateAttr(default=None)
    _advisor_became_tuner: bool = PrivateAttr(default=False)
    _replaces_search_space: bool = PrivateAttr(default=False)
    _conversion: Conversion | None = PrivateAttr(default=None)

    experiment_name: str | None = None
    experiment_type: Literal["hpo"] = "hpo"
    search_space_file: PathLike | None = None
    search_space: Any = None
    trial_command: str | None = None
    trial_code_directory: PathLike = "."
    trial_concurrency: PositiveInt = required()
    trial_gpu_number: NonNegativeInt | None = None
    max_experiment_duration: Duration | None = None
    max_trial_number: PositiveInt | None = None
    max_trial_duration: Duration | None = None
    nni_manager_ip: str | None = None
    use_annotation: bool = False
    debug: bool = False
    log_level: LogLevel | None = None
    experiment_working_directory: PathLike = filled_in()
    tuner_gpu_indices: GpuIndices | None = None
    tuner: AlgorithmConfig | MaybeNone = required()
    assessor: AlgorithmConfig | MaybeNone = None
    advisor: AlgorithmConfig | MaybeNone = None
    training_service: TrainingServices = required()
    shared_storage: SharedStorageConfig | None = None
    optimize_mode: Literal["maximize", "minimize"] | None = None
    on_limit: Literal["finish", "stop"] | None = None
    trial_stop_signal: StopSignal | None = None
    trial_stop_grace_period: Duration | None = None
    stop_on_early_failures: bool | None = None
    snapshot_code: bool | None = None
    max_trial_retries: NonNegativeInt | None = None
    max_failed_trial_number: PositiveInt | None = None
    failed_trial_result: FailedTrialResult | None = None
    keep_best_checkpoints: PositiveInt | None = None
    keep_last_checkpoints: PositiveInt | None = None
    initial_parameters: JsonObjects | None = None

    def __init__(self, training_service_platform: str | Sequence[str] | None = None, **fields: Any) -> None:
        """Makes a configuration of fields, or a template for a platform.

        Args:
            training_service_platform: The name of the platform, or several names.
            fields: Values of fields. In a template they win over what the template has.

        Raises:
            InvalidConfigError: Values are not allowed. An AttributeError too if a field does not exist.
        """
        template = {} if training_service_platform is None else _template(training_service_platform)
        given = {comparable(name) for name in fields}
        super().__init__(
            **{name: value for name, value in template.items() if comparable(name) not in given}, **fields
        )

    @classmethod
    def load(cls, path: str | OsPathLike[str]) -> Self:
        """Reads a configuration from a YAML file. Its relative paths are relative to the file's folder.

        A file in NNI's V1 form is converted; `conversion_notice` says how.

        Raises:
            InvalidConfigError: The file is not valid; every problem is named with its line.
            OSError: The file cannot be read.
        """
        from nni_config.loading import config_of
        from nni_config.v1 import v1_conversion
        from nni_config.yaml_file import read_yaml

        document = read_yaml(Path(path))
        conversion = v1_conversion(document)
        config = config_of(cls, Path(path), document if conversion is None else conversion.document)
        config._conversion = conversion
        return config

    def conversion_notice(self) -> str | None:
        """Returns what is to be said about a file in NNI's V1 form, with its V2 equivalent, without secrets.

        None if this was not read from such a file.
        """
        if self._conversion is None:
            return None
        from nni_config.v1_notice import conversion_notice

        return conversion_notice(self._conversion)

    def training_services(self) -> list[TrainingServiceConfig]:
        """Returns the training services, also where there is one or none."""
        service = self.training_service
        if isinstance(service, list):
            return service
        return [] if service is None else [service]

    def warnings(self) -> list[str]:
        """Returns what is allowed but probably not meant."""
        if self._conversion is None:
            return experiment_warnings(self)
        file = self._conversion.document.origin.file
        different = ", ".join(note.shown_path for note in self._conversion.notes)
        converted = f"{file} is in NNI's V1 form; nnictl config convert {file} shows it in the V2 form"
        converted += f", without or different from: {different}" if different else ""
        return [converted, *experiment_warnings(self)]

    @classmethod
    def _explanation_of_unknown(cls, name: str) -> str | None:
        return _KNOWN_MISSING.get(comparable(name))

    def _located(self, problem: Problem) -> Problem:
        if problem.path[:1] == ("tuner",) and self._advisor_became_tuner:
            problem = replace(problem, path=("advisor", *problem.path[1:]))
        if problem.path[:1] != ("search_space",) or self._loaded_search_space_file is None:
            return super()._located(problem)
        if self._search_space_origin is None:
            from nni_config.search_space_file import search_space_origin

            self._search_space_origin = search_space_origin(Path(self._loaded_search_space_file))
        return self._search_space_origin.located(replace(problem, path=problem.path[1:]))

    def _fill_in(self, parents: list[ConfigBase], report: Report) -> None:
        self.log_level = self.log_level or ("debug" if self.debug else "info")
        if self.experiment_working_directory is None:
            self.experiment_working_directory = default_experiments_directory()
        self.tuner_gpu_indices = self.tuner_gpu_indices or None
        self.initial_parameters = self.initial_parameters or None
        self._fill_in_algorithms(report)
        if isinstance(self.training_service, list) and len(self.training_service) == 1:
            self.training_service = self.training_service[0]
        self._load_search_space(report)

    def _fill_in_algorithms(self, report: Report) -> None:
        for name in ("tuner", "assessor", "advisor"):
            algorithm = getattr(self, name)
            if algorithm is not None:
                setattr(self, name, None if algorithm.is_empty() else canonical_algorithm(algorithm))
        if self.advisor is not None:
            if self.tuner is not None:
                report.add("it is set beside tuner, and means the same; allowed is one of the two", "advisor")
            else:
                self.tuner = self.advisor
                self._advisor_became_tuner = True
            self.advisor = None
        kinds: tuple[AlgorithmKind, ...] = get_args(AlgorithmKind)
        for kind in kinds:
            algorithm = getattr(self, kind)
            if algorithm is not None:
                algorithm.name_instance_file(kind)
        take_modes_of_instances(self, report)

    def _load_search_space(self, report: Report) -> None:
        """Reads the search space's file, unless the search space was read from it before."""
        if self.search_space_file is None or report.has_problem("search_space_file"):
            return
        from nni_config.search_space_file import read_search_space

        try:
            path = absolute_path(self.search_space_file, self._base_path)
            if path == self._loaded_search_space_file:
                return
            search_space = plain_value(read_search_space(Path(path)))
            if search_space is None:
                raise ValueError(f'Failed to load search space file "{path}": there is nothing in it')
            self._replaces_search_space = self.search_space not in (None, search_space)
            self.search_space = search_space
            self._loaded_search_space_file = path
            self._search_space_origin = None
        except NotPlainError as error:
            report.add(error.message, "search_space_file", *error.path)
        except ValueError as error:
            report.add(str(error), "search_space_file")

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        check_experiment(self, report)


_KNOWN_MISSING = {
    "trainingserviceplatform": "it is of NNI's V1 form; write trainingService with a platform",
}


def _template(platforms: str | Sequence[str]) -> dict[str, Any]:
    several = isinstance(platforms, (list, tuple))
    names = list(platforms) if several else [platforms]
    try:
        services = [training_service_class(name)() for name in names]
    except ValueError as error:
        raise InvalidConfigError([Problem(("training_service", "platform"), str(error))]) from None
    algorithms = {name: AlgorithmConfig(class_args={}) for name in ("tuner", "assessor", "advisor")}
    return {"training_service": services if several else services[0], **algorithms}
