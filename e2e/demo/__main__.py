"""The article on one machine: a small cluster of three nodes in three zones with real traffic, an agent of Weir on each node, and
something that goes wrong. Stops, and removes everything, on Ctrl-C.

    ./dev demo [--scenario NAME] [--check] [--seconds N] [--listen ADDRESS:PORT] [--stand-in]
"""

import argparse
import contextlib
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from demo.recorder import Recorder  # noqa: E402
from demo.scenarios import CHECKS, SCENARIOS, finish_story  # noqa: E402
from demo.world import World  # noqa: E402
from kube.machines import Machines  # noqa: E402
from lab import have_root  # noqa: E402


def tell(text):
    print(text, flush=True)


def parse():
    names = "".join(f"\n    {name:18}{expected}" for name, (_, expected, _) in SCENARIOS.items())
    parser = argparse.ArgumentParser(prog="./dev demo", description=f"{__doc__}\nscenarios, and what Weir should say:{names}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", choices=list(SCENARIOS), default="story", metavar="NAME", help="what happens (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="compare what Weir says with what is true, then end; 1 when it is not the same")
    parser.add_argument("--seconds", type=float, default=3600, help="stop by itself after this long (default: %(default)s)")
    parser.add_argument("--listen", default="127.0.0.1:7600", help="port 0 = any free one (default: %(default)s)")
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE", help="write down what Weir was told, as a recipe of src/diagnose/")
    parser.add_argument("--stand-in", action="store_true", help="names from a small stand-in of the Kubernetes API server, even where the real one is there")
    return parser.parse_args()


def show(world, *command):
    tell(f"\n$ weir {' '.join(command)}")
    tell(world.weir(*command))


def what_weir_says(world, truth):
    """As a person would ask it, whether or not it is what it should say."""
    for command in ("findings", "loads", "health"):
        show(world, command)
    for pod in truth.get("about", []):
        show(world, "why", pod, "--no-headers")
    for counter in world.get("/api/v1/status")["counters"]:
        if "diagnose" in counter["name"]:
            tell(f"  {counter['name']} {counter['value']}")


def run(options, world):
    scenario, expected, page = SCENARIOS[options.scenario]
    tell(f"Open {world.url}{page}  (Ctrl-C stops the demo and removes its namespaces)")
    tell(f"{len(world.agents)} nodes in three zones, names from {'a real API server' if world.real else 'a stand-in of an API server'}")
    truth = scenario(world)
    tell(f"Weir should say: {expected}")
    if options.check:
        try:
            CHECKS[options.scenario](world, truth)
            tell(f"{options.scenario}: Weir says so")
        finally:
            what_weir_says(world, truth)
            if options.record:
                Recorder(world).write(options.record, expected, ["quiet"] if options.scenario == "healthy" else [])
        return
    if options.scenario == "story":
        finish_story(world, truth)
    time.sleep(15)
    what_weir_says(world, truth)
    tell("\nIt goes on until Ctrl-C.")
    time.sleep(options.seconds)


def main():
    options = parse()
    if not have_root():
        sys.exit("demo: needs root for network namespaces, control groups and eBPF")
    if missing := Machines.tools_missing():
        sys.exit(f"demo: not found: {', '.join(missing)}; ./dev demo installs them")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with contextlib.suppress(KeyboardInterrupt), World(options.listen, stand_in=options.stand_in, tell=tell) as world:
            run(options, world)
    except AssertionError as error:
        sys.exit(f"demo: {options.scenario}: Weir does not say so: {error}")


if __name__ == "__main__":
    main()
