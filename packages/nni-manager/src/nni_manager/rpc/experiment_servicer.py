"""ExperimentService: what clients, nnictl and the page call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from nni_proto import resource_names
from nni_proto.v1 import experiment_service_pb2 as pb

from nni_manager.experiments.errors import InvalidArgumentError, WrongExperimentStatusError
from nni_manager.experiments.interface import FolderCalls
from nni_manager.experiments.trial_table.query import TrialQuery
from nni_manager.rpc import metric_messages, other_manager, paging, requests, trial_messages
from nni_manager.rpc.access import Role, SignInCodes
from nni_manager.rpc.experiment_messages import ExperimentMessages, config_from_message, update_from_message
from nni_manager.rpc.policy import OWN_EXPERIMENT
from nni_manager.rpc.times import timestamp
from nni_manager.rpc.watching import responses


class ExperimentServicer:
    """Answers the calls of ExperimentService; each method is one RPC."""

    def __init__(self, calls: FolderCalls, codes: SignInCodes, experiment_id: str) -> None:
        """Makes the servicer.

        Args:
            calls: What answers.
            codes: Makes sign-in codes.
            experiment_id: The id of the experiment that this manager was started for.
        """
        self._calls = calls
        self._codes = codes
        self._experiment_id = experiment_id
        self._messages = ExperimentMessages()

    async def create_experiment(self, request: pb.CreateExperimentRequest) -> pb.CreateExperimentResponse:
        """Checks a configuration and records an experiment."""
        request_id = requests.request_id(request.request_id)
        experiment_id = request.experiment_id or self._experiment_id
        if experiment_id != self._experiment_id:
            raise InvalidArgumentError(
                f"experiment_id: this manager was started for experiment {self._experiment_id}, "
                f"it cannot create {experiment_id!r}; leave the id empty or start a manager for it"
            )
        config = config_from_message(request.config)
        view = await self._calls.create(config, experiment_id, request_id)
        return pb.CreateExperimentResponse(experiment=self._messages.to_message(view))

    async def get_experiment(self, request: pb.GetExperimentRequest) -> pb.GetExperimentResponse:
        """Returns an experiment."""
        experiment_id = requests.experiment_id(request.name, "name")
        view = await self._calls.get(
            self._experiment_id if experiment_id == OWN_EXPERIMENT else experiment_id
        )
        return pb.GetExperimentResponse(experiment=self._messages.to_message(view))

    async def update_experiment(self, request: pb.UpdateExperimentRequest) -> pb.UpdateExperimentResponse:
        """Changes limits or the search space."""
        experiment_id = requests.experiment_id(request.name, "name")
        update = update_from_message(request.config, list(request.update_mask.paths))
        view = await self._calls.update(experiment_id, update)
        return pb.UpdateExperimentResponse(experiment=self._messages.to_message(view))

    async def start_experiment(self, request: pb.StartExperimentRequest) -> pb.StartExperimentResponse:
        """Starts an experiment that was created."""
        view = await self._calls.start(requests.experiment_id(request.name, "name"))
        return pb.StartExperimentResponse(experiment=self._messages.to_message(view))

    async def resume_experiment(self, request: pb.ResumeExperimentRequest) -> pb.ResumeExperimentResponse:
        """Goes on with an experiment of an earlier manager."""
        experiment_id = requests.experiment_id(request.name, "name")
        config = config_from_message(request.config) if request.HasField("config") else None
        view = await self._calls.resume(experiment_id, config)
        return pb.ResumeExperimentResponse(experiment=self._messages.to_message(view))

    async def pause_experiment(self, request: pb.PauseExperimentRequest) -> pb.PauseExperimentResponse:
        """Lets running trials finish and starts no new one."""
        view = await self._calls.pause(requests.experiment_id(request.name, "name"))
        return pb.PauseExperimentResponse(experiment=self._messages.to_message(view))

    async def unpause_experiment(self, request: pb.UnpauseExperimentRequest) -> pb.UnpauseExperimentResponse:
        """Lets trials start again."""
        view = await self._calls.unpause(requests.experiment_id(request.name, "name"))
        return pb.UnpauseExperimentResponse(experiment=self._messages.to_message(view))

    async def stop_experiment(self, request: pb.StopExperimentRequest) -> pb.StopExperimentResponse:
        """Stops an experiment and lets the manager end."""
        view = await self._calls.stop(requests.experiment_id(request.name, "name"))
        return pb.StopExperimentResponse(experiment=self._messages.to_message(view))

    async def watch_experiment(
        self, request: pb.WatchExperimentRequest
    ) -> AsyncIterator[pb.WatchExperimentResponse]:
        """Streams what changes after a revision."""
        experiment_id = requests.experiment_id(request.name, "name")
        revision = requests.not_negative(request.after_revision, "after_revision")
        async with aclosing(
            responses(
                self._calls.watch(experiment_id, revision, request.include_metrics),
                experiment_id,
                revision,
                self._messages,
            )
        ) as stream:
            async for response in stream:
                yield response

    async def get_trial(self, request: pb.GetTrialRequest) -> pb.GetTrialResponse:
        """Returns a trial."""
        experiment_id, trial_id = requests.trial_ids(request.name, "name")
        view = await self._calls.trial(experiment_id, trial_id)
        return pb.GetTrialResponse(trial=trial_messages.trial_to_message(experiment_id, view))

    async def list_trials(self, request: pb.ListTrialsRequest) -> pb.ListTrialsResponse:
        """Returns a page of an experiment's trials."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        statuses = sorted({trial_messages.status_from_message(it, "statuses") for it in request.statuses})
        size = paging.page_size(request.page_size, 1000, 10_000)
        skip = requests.not_negative(request.skip, "skip")
        query = TrialQuery(request.filter, request.order_by, statuses)
        listing = f"trials {request.parent} {','.join(statuses)} {request.filter} {request.order_by}"
        after = paging.any_position(request.page_token, listing) if request.page_token else None
        reader = await self._calls.reader(experiment_id)
        found, views = await reader.trial_page(query, after, skip, size)
        page = paging.fitting(trial_messages.trial_to_message(experiment_id, view) for view in views)
        more = found.has_more or len(page) < len(views)
        token = paging.page_token(listing, found.positions[len(page) - 1]) if more and page else ""
        return pb.ListTrialsResponse(
            trials=page, next_page_token=token, total_size=found.total_size, revision=found.revision
        )

    async def create_trial(self, request: pb.CreateTrialRequest) -> pb.CreateTrialResponse:
        """Queues a trial with parameters of the caller's own."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        request_id = requests.request_id(request.request_id)
        parameters = requests.value(request.parameters, "parameters")
        view = await self._calls.create_trial(experiment_id, parameters, request_id)
        return pb.CreateTrialResponse(trial=trial_messages.trial_to_message(experiment_id, view))

    async def cancel_trial(self, request: pb.CancelTrialRequest) -> pb.CancelTrialResponse:
        """Stops a trial."""
        experiment_id, trial_id = requests.trial_ids(request.name, "name")
        view = await self._calls.cancel_trial(experiment_id, trial_id)
        return pb.CancelTrialResponse(trial=trial_messages.trial_to_message(experiment_id, view))

    async def list_metrics(self, request: pb.ListMetricsRequest) -> pb.ListMetricsResponse:
        """Returns a page of the results of a trial or an experiment."""
        experiment_id, trial_id = requests.experiment_or_trial_ids(request.parent, "parent")
        kind = metric_messages.kind_from_message(request.kind, "kind") if request.kind else None
        size = paging.page_size(request.page_size, 10_000, 100_000)
        listing = f"metrics {request.parent} {request.kind}"
        after = paging.page_position(request.page_token, listing, start=0)
        metrics = await self._calls.metrics(experiment_id, trial_id, after, size + 1, kind)
        page = paging.fitting(
            metric_messages.metric_to_message(experiment_id, metric) for metric in metrics[:size]
        )
        more = len(page) < len(metrics)
        token = paging.page_token(listing, metrics[len(page) - 1].row) if more else ""
        return pb.ListMetricsResponse(metrics=page, next_page_token=token)

    async def export_trials(self, request: pb.ExportTrialsRequest) -> pb.ExportTrialsResponse:
        """Returns a page of the trials that have a final result."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        size = paging.page_size(request.page_size, 1000, 10_000)
        listing = f"exported {request.parent}"
        after = paging.page_position(request.page_token, listing, start=-1)
        views = await self._calls.exported_trials(experiment_id, after, size + 1)
        records = [view.stored.record for view in views]
        page = paging.fitting(
            pb.ExportTrialsResponse.ExportedTrial(
                trial=resource_names.trial_name(experiment_id, record.trial_id),
                parameters=trial_messages.any_value(record.parameters),
                value=trial_messages.any_value(record.final_result),
            )
            for record in records[:size]
        )
        more = len(page) < len(records)
        token = paging.page_token(listing, records[len(page) - 1].sequence_number) if more else ""
        return pb.ExportTrialsResponse(trials=page, next_page_token=token)

    async def import_trials(self, request: pb.ImportTrialsRequest) -> pb.ImportTrialsResponse:
        """Tells the tuner of results from elsewhere."""
        experiment_id = requests.experiment_id(request.parent, "parent")
        request_id = requests.request_id(request.request_id)
        trials = [
            {
                "parameter": requests.value(trial.parameters, f"trials[{number}].parameters"),
                "value": requests.value(trial.value, f"trials[{number}].value"),
            }
            for number, trial in enumerate(request.trials)
        ]
        count = await self._calls.import_trials(experiment_id, trials, request_id)
        return pb.ImportTrialsResponse(imported_count=count)

    async def create_sign_in_code(self, request: pb.CreateSignInCodeRequest) -> pb.CreateSignInCodeResponse:
        """Returns a one-time code that signs a browser in: here, or at the manager of another experiment."""
        experiment_id = requests.experiment_id(request.name, "name")
        manager = await self._calls.manager(experiment_id)
        if manager is not None:
            return await other_manager.create_sign_in_code(manager, request)
        await self._calls.get(experiment_id)
        if experiment_id != self._experiment_id:
            raise WrongExperimentStatusError(
                f"no manager runs experiment {experiment_id!r}, so there is no page of it to sign in to"
            )
        code = self._codes.create(Role.VIEW if request.view_only else Role.MANAGER)
        return pb.CreateSignInCodeResponse(
            code=code.code, url=code.url, expire_time=timestamp(code.expires_at)
        )
