"""The sample job of `raytui demo`: tasks, then a placement group, then GPU actors, then nothing.

Run by Ray as a job of the demo's cluster: `python -m raytui.ray.demo_job [--seconds S]`.
"""

from __future__ import annotations

import argparse
import time

TASKS = 12
PG_BUNDLES = 3
GPU_ACTORS = 2


def main() -> None:
    """Ask for one kind of thing after the other; each is done before the next is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each piece works")
    seconds = parser.parse_args().seconds

    import ray

    ray.init(log_to_driver=False)
    _tell(f"{TASKS} tasks of one CPU")
    _run_tasks(seconds)
    _tell(f"a placement group of {PG_BUNDLES} × 2 CPUs, each on a node of its own")
    _run_placement_group(seconds)
    _tell(f"{GPU_ACTORS} actors with a GPU each")
    _run_gpu_actors(seconds)
    _tell("no more work: the nodes leave when they have been idle long enough")


def _run_tasks(seconds: float) -> None:
    import ray

    work = ray.remote(num_cpus=1, max_retries=3)(_work)
    ray.get([work.options(name="demo-task").remote(seconds) for _ in range(TASKS)])


def _run_placement_group(seconds: float) -> None:
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    group = placement_group([{"CPU": 2}] * PG_BUNDLES, strategy="STRICT_SPREAD", name="demo-group")
    ray.get(group.ready())
    work = ray.remote(num_cpus=2)(_work)
    strategies = (
        PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
        for index in range(PG_BUNDLES)
    )
    ray.get([work.options(scheduling_strategy=s).remote(seconds) for s in strategies])
    remove_placement_group(group)


def _run_gpu_actors(seconds: float) -> None:
    import ray

    class Trainer:
        def train(self, seconds: float) -> None:
            _work(seconds)

    kind = ray.remote(num_cpus=1, num_gpus=1)(Trainer)
    trainers = [kind.options(name=f"demo-trainer-{n}").remote() for n in range(GPU_ACTORS)]
    ray.get([trainer.train.remote(seconds) for trainer in trainers])
    for trainer in trainers:
        ray.kill(trainer)


def _work(seconds: float) -> None:
    time.sleep(seconds)


def _tell(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
