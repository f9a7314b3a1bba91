"""Measures trials on other machines, with hosts of a laboratory, beside what people use without us."""

from workspace.remote_benchmark.recovery import recovery
from workspace.remote_benchmark.shipping import shipping
from workspace.remote_benchmark.speed import load, looping, speed

__all__ = ["load", "looping", "recovery", "shipping", "speed"]
