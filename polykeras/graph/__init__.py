"""The functional graph: symbolic tensors, the operations between them, and functions made of both."""

from polykeras.graph.function import GraphFunction
from polykeras.graph.operation import Node, Operation, OpOperation
from polykeras.graph.tensor import KerasTensor, infer_outputs, is_keras_tensor

__all__ = ["GraphFunction", "KerasTensor", "Node", "OpOperation", "Operation", "infer_outputs", "is_keras_tensor"]
