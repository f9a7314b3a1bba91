"""How many broken configurations an editor refuses that checks files with the JSON Schema."""

import json

import broken_configurations
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from nni_config.json_schema import experiment_schema
from nni_config.names import comparable


def test_what_is_broken_is_refused_at_its_field() -> None:
    validator = Draft202012Validator(experiment_schema())
    for platform in broken_configurations.SERVICES:
        validator.validate(broken_configurations.valid(platform))
    broken = [each for each in broken_configurations.every_broken() if each.where]
    wrong = [each.what for each in broken if not _is_refused_at_its_field(each, validator)]
    print(f"{len(broken)} broken configurations, {len(broken) - len(wrong)} refused at their field")
    assert len(broken) > 1000
    assert wrong == []


def test_what_is_valid_is_not_counted_as_refused() -> None:
    whole = broken_configurations.valid("local")
    broken = broken_configurations.Broken("nothing", json.dumps(whole).encode(), "trialcommand")
    assert not _is_refused_at_its_field(broken, Draft202012Validator(experiment_schema()))


def _is_refused_at_its_field(broken: broken_configurations.Broken, validator: Draft202012Validator) -> bool:
    """Returns whether the finding that is shown is at the field, or around it with the field's name."""
    error = best_match(validator.iter_errors(json.loads(broken.content)))
    if error is None:
        return False
    around, _, name = broken.where.rpartition(".")
    where = ".".join(comparable(str(step)) for step in error.absolute_path)
    is_inside = where == broken.where or where.startswith(f"{broken.where}.")
    return is_inside or (where == around and name in comparable(error.message))
