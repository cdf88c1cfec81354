"""Run the programs that need a process of their own: `python -m adversarial.own_process jax`.

How many devices a CPU is, is said before a framework is loaded, and some switches cannot be put back.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import polykeras as keras
from adversarial.entries import ENTRIES, OWN_PROCESS, outcome_of


def main(framework: str) -> int:
    """Run the programs of a framework; return how many had another outcome than they state, after an account."""
    if framework == "jax":
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    else:
        from polykeras_tensorflow.backend import tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    wrong = 0
    with keras.use_backend(framework) as backend:
        assert len(backend.devices()) == 2
        for program in import_module(f"adversarial.{framework}_programs").PROGRAMS:
            if program.kind in OWN_PROCESS:
                try:
                    outcome = outcome_of(program, lambda fn: ENTRIES["function"](backend, fn))
                except AssertionError as error:
                    outcome = str(error)
                wrong += outcome != program.outcome
                print(f"{program}: {outcome}")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
