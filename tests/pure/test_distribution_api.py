"""`keras.distribution`: what is read from the environment, meshes, layouts, and the current distribution."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import polykeras as keras
from polykeras.backend import registry
from polykeras.backend.job import Job
from polykeras.distribution import connections, environment, hosts
from polykeras.distribution.environment import ALONE, find_job
from polykeras.distribution.workers import ONE_WORKER, workers_of

api = keras.distribution


@pytest.fixture(autouse=True)
def _no_distribution() -> Iterator[None]:
    with registry.use_backend("numpy"):
        yield
    api.set_distribution(None)


TORCHRUN = {
    "RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "node1", "MASTER_PORT": "29500", "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
}  # fmt: skip
JAX = {"JAX_COORDINATOR_ADDRESS": "10.0.0.1:1234", "JAX_NUM_PROCESSES": "3", "JAX_PROCESS_ID": "2"}
KERAS = {
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234,10.0.0.2:2345",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
}  # fmt: skip
MPICH = {"PMI_RANK": "0", "PMI_SIZE": "4", "MPI_LOCALRANKID": "0", "MPI_LOCALNRANKS": "4"}
SLURM = {
    "SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "node[09-10]", "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}  # fmt: skip


def tf_config(kind: str, index: int, **cluster: list[str]) -> dict[str, str]:
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


WORKERS = tf_config("worker", 1, worker=["a:1", "b:2"])


@pytest.mark.parametrize(
    ("told", "job"),
    [
        ({}, ALONE),
        (KERAS, Job(1, 2, "10.0.0.1:1234", ("10.0.0.1:1234", "10.0.0.2:2345"))),
        (KERAS | {"KERAS_DISTRIBUTION_JOB_ADDRESSES": "h:1"}, Job(1, 2, "h:1")),
        (TORCHRUN, Job(1, 2, "node1:29501", ("node1:29502", "node1:29503"), local_rank=1)),
        (TORCHRUN | {"LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}, Job(1, 2, "node1:29501", local_rank=0)),
        (TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}, Job(0, 1, "", local_rank=1)),
        (JAX, Job(2, 3, "10.0.0.1:1234")),
        (JAX | {"JAX_COORDINATOR_ADDRESS": "localhost:9"}, Job(2, 3, "localhost:9", tuple(f"localhost:{10 + i}" for i in range(3)))),
        (WORKERS, Job(1, 2, "a:1", ("a:1", "b:2"))),
        (tf_config("chief", 0, chief=["c:1"], worker=["a:1"]), Job(0, 2, "c:1", ("c:1", "a:1"))),
        (tf_config("worker", 0, chief=["c:1"], worker=["a:1"]), Job(1, 2, "c:1", ("c:1", "a:1"))),
        ({"TF_CONFIG": "{}"}, ALONE),
        (OPEN_MPI, Job(1, 2, "localhost:29501", ("localhost:29502", "localhost:29503"), local_rank=1)),
        (OPEN_MPI | {"OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, Job(1, 2, "", local_rank=1)),
        (OPEN_MPI | {"MASTER_ADDR": "h", "MASTER_PORT": "5", "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}, Job(1, 2, "h:6", local_rank=1)),
        (MPICH, Job(0, 4, "localhost:29501", tuple(f"localhost:{29502 + i}" for i in range(4)), local_rank=0)),
        (SLURM, Job(3, 4, "node09:10350", ("node09:10351", "node09:10352", "node10:10351", "node10:10352"), local_rank=1)),
        # `srun` that speaks MPI: the addresses are SLURM's.
        (SLURM | {"PMI_RANK": "3", "PMI_SIZE": "4"}, Job(3, 4, "node09:10350", ("node09:10351", "node09:10352", "node10:10351", "node10:10352"))),
        # The script of a job of one task, and a shell.
        ({"SLURM_PROCID": "0", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "node09"}, ALONE),
        # Launchers within others: what the inner one says counts.
        (SLURM | TORCHRUN, Job(1, 2, "node1:29501", ("node1:29502", "node1:29503"), local_rank=1)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"} | OPEN_MPI, Job(1, 2, "localhost:29501", ("localhost:29502", "localhost:29503"), local_rank=1)),
        # Two that agree: the first one counts.
        (TORCHRUN | WORKERS, Job(1, 2, "node1:29501", ("node1:29502", "node1:29503"), local_rank=1)),
        (JAX | {"POLYKERAS_WORKER_TIMEOUT": "2.5"}, Job(2, 3, "10.0.0.1:1234", timeout=2.5)),
        ({"MASTER_ADDR": "node1", "MASTER_PORT": "1"}, ALONE),
    ],
)  # fmt: skip
def test_job_of_an_environment(told: dict[str, str], job: Job) -> None:
    assert find_job(told) == job


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"RANK": "0"}, "of torchrun are incomplete: RANK is set, WORLD_SIZE, MASTER_ADDR, MASTER_PORT is missing"),
        ({"WORLD_SIZE": "4", "MASTER_ADDR": "h", "MASTER_PORT": "1"}, "RANK is missing"),
        (TORCHRUN | {"RANK": "two"}, "RANK must be a whole number; received 'two'"),
        (TORCHRUN | {"RANK": "2"}, "torchrun: expected a process from 0 to the number of processes; received 2 of 2"),
        ({"JAX_PROCESS_ID": "0"}, "of JAX are incomplete"),
        (JAX | {"JAX_COORDINATOR_ADDRESS": "h"}, "JAX_COORDINATOR_ADDRESS: expected addresses as 'host:port'"),
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "0"}, r"`job_addresses` \(KERAS_DISTRIBUTION_JOB_ADDRESSES\), `num_processes`"),
        (KERAS | {"KERAS_DISTRIBUTION_NUM_PROCESSES": "3"}, "expected one address for each of the 3 processes"),
        ({"TF_CONFIG": "no"}, "TF_CONFIG: expected JSON such as"),
        (tf_config("evaluator", 0, worker=["a:1"]), "received a task of type 'evaluator'.*evaluators are not supported"),
        (tf_config("worker", 0, worker=["a:1"], ps=["b:1"]), "cluster of 'worker', 'ps'. Parameter servers"),
        (tf_config("worker", 2, worker=["a:1", "b:1"]), "received 2 of 2"),
        ({"OMPI_COMM_WORLD_RANK": "0"}, "of MPI are incomplete"),
        (SLURM | {"SLURM_JOB_NODELIST": "node[1"}, "expected names of nodes such as"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "asked for 4 tasks, but this process is none.*srun python"),
        (TORCHRUN | JAX, "torchrun says process 1 of 2, JAX says process 2 of 3. Unset .*: RANK, WORLD_SIZE, or JAX_COORD"),
        (JAX | {"POLYKERAS_WORKER_TIMEOUT": "soon"}, "POLYKERAS_WORKER_TIMEOUT must be seconds"),
    ],
)  # fmt: skip
def test_environments_that_are_refused(told: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_job(told)


def test_arguments_come_before_the_environment() -> None:
    assert find_job(TORCHRUN, "h:1", 3, 2) == Job(2, 3, "h:1")
    assert find_job(KERAS, process_id=0) == Job(0, 2, "10.0.0.1:1234", ("10.0.0.1:1234", "10.0.0.2:2345"))
    assert find_job({}, "a:1, b:2", process_id=0) == Job(0, 2, "a:1", ("a:1", "b:2"))
    assert find_job({}, num_processes=1, process_id=0) == ALONE
    with pytest.raises(ValueError, match=r"`process_id` \(KERAS_DISTRIBUTION_PROCESS_ID\) is missing"):
        find_job({}, "a:1,b:2")


def test_each_mark_belongs_to_one_launcher() -> None:
    marks = [mark for launcher in environment.LAUNCHERS for mark in launcher.marks]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("node1", ["node1"]),
        ("node[01-03,07]", ["node01", "node02", "node03", "node07"]),
        ("a[9-11]-x,b,c[1]", ["a9-x", "a10-x", "a11-x", "b", "c1"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
    ],
)
def test_lists_of_nodes(text: str, names: list[str]) -> None:
    assert hosts.expand(text, "test") == names


def test_tasks_of_nodes() -> None:
    assert hosts.tasks_of_nodes("2(x3),1") == [2, 2, 2, 1]
    assert hosts.tasks_of_nodes("4") == [4]
    assert hosts.tasks_of_nodes("many") == []


def test_each_backend_has_ports_of_its_own() -> None:
    job = Job(0, 2, "h:100", ("h:101", "g:101"))
    taken = {job.coordinator, *job.addresses}
    for place in (1, 2):
        shifted = connections._shifted(job, place)
        assert not taken & {shifted.coordinator, *shifted.addresses}
        taken |= {shifted.coordinator, *shifted.addresses}
    with pytest.raises(ValueError, match="no ports are left after h:65535"):
        connections._shifted(Job(0, 2, "h:65535"), 1)


def test_nobody_launched() -> None:
    api.initialize()
    assert connections.current_job() == ALONE
    assert not connections.connected(registry.current())
    api.set_distribution(api.DataParallel())
    assert workers_of(registry.current()) == ONE_WORKER


def test_devices() -> None:
    assert api.list_devices() == api.list_devices("CPU") == ["cpu:0"]
    assert api.list_devices("gpu") == []
    assert api.get_device_count() == 1
    assert api.get_device_count("tpu") == 0
    with pytest.raises(ValueError, match="`device_type` must be 'cpu', 'gpu', 'tpu' or None; received 'fpga'"):
        api.list_devices("fpga")


def test_devices_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_job", Job(1, 3, "h:1"))
    assert api.list_devices() == ["cpu:0", "cpu:1", "cpu:2"]
    assert api.DataParallel().num_model_replicas == 3
    assert api.DataParallel().data_shard_id == 1
    with pytest.raises(ValueError, match="as many devices for each of the 3 processes; received 1 in all: cpu:0"):
        api.set_distribution(api.DataParallel(devices=["cpu:0"]))


MESH = api.DeviceMesh((2, 4), ["batch", "model"], [f"gpu:{i}" for i in range(8)])


def test_device_mesh() -> None:
    assert MESH.shape == (2, 4)
    assert MESH.axis_names == ["batch", "model"]
    assert MESH.devices.shape == (2, 4)
    assert MESH.devices[1, 0] == "gpu:4"
    assert api.DeviceMesh((1,), ["batch"]).devices.tolist() == ["cpu:0"]
    assert repr(MESH) == "<DeviceMesh shape=(2, 4), axis_names=['batch', 'model']>"
    with pytest.raises(ValueError, match="a size and a name for each axis; received shape=None, axis_names=None"):
        api.DeviceMesh(None, None)
    with pytest.raises(ValueError, match="a size and a name for each axis"):
        api.DeviceMesh((2, 4), ["batch"])
    with pytest.raises(ValueError, match=r"expected 4 devices for the shape \(2, 2\); received 8: gpu:0, gpu:1"):
        api.DeviceMesh((2, 2), ["batch", "model"], MESH.devices)


def test_tensor_layout() -> None:
    layout = api.TensorLayout([None, "model"])
    assert layout.axes == (None, "model")
    assert layout.device_mesh is None
    layout.device_mesh = MESH
    assert layout.device_mesh is MESH
    with pytest.raises(ValueError, match="expected to get a device mesh once"):
        layout.device_mesh = MESH
    with pytest.raises(
        ValueError, match=r"names of axes of the device mesh, 'batch', 'model', or None; received 'depth'"
    ):
        api.TensorLayout(("depth", None), MESH)


def test_layout_map() -> None:
    layouts = api.LayoutMap(MESH)
    layouts["dense/kernel"] = api.TensorLayout((None, "model"))
    layouts["dense.*bias"] = ("model",)
    layouts[".*conv2d.*kernel"] = (None, None, None, "model")
    assert layouts["dense/kernel"].device_mesh is MESH
    assert layouts["dense_1/bias"].axes == ("model",)
    assert layouts["my/conv2d_1/kernel"].axes[-1] == "model"
    assert layouts["my/dense/bias"] is None, "a pattern matches a whole path"
    assert layouts.get("nothing") is None
    assert len(layouts) == 3
    assert list(layouts) == ["dense/kernel", "dense.*bias", ".*conv2d.*kernel"]
    layouts["dense/b.*"] = ("batch",)
    with pytest.raises(
        ValueError, match=r"one key at most matches the path 'dense/bias'; these do: 'dense\.\*bias', 'd"
    ):
        _ = layouts["dense/bias"]
    with pytest.raises(ValueError, match="the key 'dense/kernel' is there already"):
        layouts["dense/kernel"] = (None,)
    with pytest.raises(ValueError, match="expected a TensorLayout or a tuple of axes for 'x'; received 'model'"):
        layouts["x"] = "model"
    with pytest.raises(ValueError, match="received 'depth'"):
        layouts["x"] = ("depth",)
    del layouts["dense/b.*"]
    assert "dense/b.*" not in list(layouts)
    with pytest.raises(KeyError):
        del layouts["dense/b.*"]


def test_data_parallel() -> None:
    distribution = api.DataParallel()
    assert distribution.device_mesh.devices.tolist() == ["cpu:0"]
    assert distribution.batch_dim_name == "batch"
    assert distribution.auto_shard_dataset
    assert (distribution.num_processes, distribution.data_shard_id) == (1, 0)
    assert distribution.get_data_layout((None, 3, 2)).axes == ("batch", None, None)
    assert distribution.get_variable_layout(SimpleNamespace(shape=(2, 3), path="w")).axes == (None, None)
    assert distribution.get_tensor_layout("path") is None
    data = [1, 2]
    assert distribution.distribute_dataset(data) is data
    assert not api.DataParallel(api.DeviceMesh((1,), ["data"]), auto_shard_dataset=False).auto_shard_dataset
    with pytest.raises(ValueError, match="`device_mesh` must be a DeviceMesh; received 'cpu'"):
        api.DataParallel(device_mesh="cpu")
    with pytest.warns(UserWarning, match="expected devices along one axis"):
        assert api.DataParallel(MESH).batch_dim_name == "batch"


def test_one_process_has_one_device() -> None:
    message = "on the numpy backend, a process trains on one device; received 2.*torchrun --nproc-per-node 2"
    with pytest.raises(ValueError, match=message):
        api.set_distribution(api.DataParallel(devices=["cpu:0", "cpu:1"]))
    assert api.distribution() is None


def test_model_parallel() -> None:
    layouts = api.LayoutMap(MESH)
    layouts[".*kernel"] = (None, "model")
    distribution = api.ModelParallel(layout_map=layouts, batch_dim_name="batch")
    assert distribution.device_mesh is MESH
    assert distribution.num_model_replicas == 2
    assert distribution.get_variable_layout(SimpleNamespace(shape=(2, 3), path="dense/kernel")).axes == (None, "model")
    assert distribution.get_variable_layout(SimpleNamespace(shape=(2, 3), path="dense/bias")).axes == (None, None)
    assert distribution.get_data_layout((4, 2)).axes == ("batch", None)
    assert distribution.get_tensor_layout("dense/kernel").axes == (None, "model")
    assert distribution.get_tensor_layout("dense/output") is None
    assert api.ModelParallel(layout_map=layouts, device_mesh=MESH).batch_dim_name == "batch"
    with pytest.raises(ValueError, match="`layout_map` must be a LayoutMap with devices; received None"):
        api.ModelParallel()
    with pytest.raises(TypeError, match="unknown arguments: mesh"):
        api.ModelParallel(layout_map=layouts, mesh=MESH)
    api.set_distribution(distribution)
    with pytest.raises(NotImplementedError, match="training cannot cut weights over several devices"):
        workers_of(registry.current())


def test_scope() -> None:
    outer, inner = api.DataParallel(), api.DataParallel()
    assert api.distribution() is None
    api.set_distribution(outer)
    with pytest.raises(KeyError), inner.scope():
        assert api.distribution() is inner
        raise KeyError
    assert api.distribution() is outer
    with pytest.raises(ValueError, match="expected a DataParallel, a ModelParallel or None; received 'yes'"):
        api.set_distribution("yes")


def test_distribute_tensor() -> None:
    one = api.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"])
    array = keras.ops.ones((4, 2))
    assert api.distribute_tensor(array, api.TensorLayout(("batch", None), one)) is array
    symbol = keras.Input((3,))
    assert api.distribute_tensor(symbol, api.TensorLayout(("batch", None), MESH)) is symbol
    with pytest.raises(NotImplementedError, match="of the numpy backend lies on one device; received 8: gpu:0"):
        api.distribute_tensor(array, api.TensorLayout(("batch", None), MESH))
    with pytest.raises(ValueError, match="expected a layout with a device mesh"):
        api.distribute_tensor(array, api.TensorLayout(("batch", None)))
    with pytest.raises(ValueError, match=r"axis of the array, of shape \(4, 2\); received \('batch', None, None\)"):
        api.distribute_tensor(array, api.TensorLayout(("batch", None, None), one))
