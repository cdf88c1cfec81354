"""The functional graph: symbolic tensors, the operations between them, and functions made from graphs."""

from polykeras.graph.function import GraphFunction
from polykeras.graph.inference import infer_outputs
from polykeras.graph.operation import Node, Operation, OpOperation
from polykeras.graph.tensor import KerasTensor, is_keras_tensor

__all__ = ["GraphFunction", "KerasTensor", "Node", "OpOperation", "Operation", "infer_outputs", "is_keras_tensor"]
