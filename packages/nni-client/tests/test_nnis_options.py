"""Every command of NNI's nnictl is there, with each option under NNI's name."""

from __future__ import annotations

import pytest
import typer.main
from nni_client.commands.app import app
from nni_client.commands.spelling import options_of, spelled_out

NNI = {
    "create": "-c --config -p --port -d --debug -u --url_prefix -f --foreground",
    "resume": "-p --port -d --debug -f --foreground -e --experiment_dir",
    "view": "-p --port -e --experiment_dir",
    "update searchspace": "-f --filename",
    "update concurrency": "-v --value",
    "update duration": "-v --value",
    "update trialnum": "-v --value",
    "stop": "-p --port -a --all",
    "trial ls": "--head --tail",
    "trial kill": "-T --trial_id",
    "experiment show": "",
    "experiment status": "",
    "experiment list": "--all",
    "experiment delete": "--all",
    "experiment import": "-f --filename",
    "experiment export": "-t --type -f --filename -i --intermediate",
    "experiment save": "-p --path -s --saveCodeDir",
    "experiment load": "-p --path -c --codeDir -l --logDir -s --searchSpacePath",
    "platform clean": "-c --config",
    "webui url": "",
    "config show": "",
    "log stdout": "-T --tail -H --head --path",
    "log stderr": "-T --tail -H --head --path",
    "log trial": "-T --trial_id",
    "algo register": "-m --meta_path",
    "algo reg": "-m --meta_path",
    "algo unregister": "",
    "algo unreg": "",
    "algo show": "",
    "algo list": "",
    "trainingservice register": "--package",
    "trainingservice unregister": "--package",
    "trainingservice list": "",
    "top": "-t --time",
    "hello": "",
    "package": "",
    "ss_gen": "",
    "jupyter-extension": "",
}


@pytest.mark.parametrize(("path", "names"), NNI.items(), ids=NNI)
def test_a_command(path, names):
    command = typer.main.get_command(app)
    for word in path.split():
        command = command.commands[word]
    options = options_of(command)
    for name in names.split():
        (word,) = spelled_out([name], options)
        assert any(word in option.names for option in options), name
