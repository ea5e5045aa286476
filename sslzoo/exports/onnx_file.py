"""ONNX files of encoders: written by tf2onnx, run by ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from sslzoo.exports.contract import with_input


def write(encoder: keras.Model, path: Path, spec: tf.TensorSpec) -> None:
    """Writes an encoder as an ONNX file of any batch of inputs of a spec; the output is called "features"."""
    from tf2onnx.handler import tf_op

    tf_op("Erfc")(_Erfc)
    with_input(encoder, spec).export(str(path), format="onnx", input_signature=[spec], verbose=False)
    _name_onnx(path, spec.name)


def _name_onnx(path: Path, name: str) -> None:
    """Names the input, the output "features", and the batch dimension of both."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    names = {graph.input[0].name: name, graph.output[0].name: "features"}
    for node in graph.node:
        for places in (node.input, node.output):
            places[:] = [names.get(one, one) for one in places]
    for value in (graph.input[0], graph.output[0]):
        value.name = names[value.name]
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _Erfc:
    """1 - erf: TensorFlow's exact GELU is made of erfc, which ONNX lacks and tf2onnx 1.17 does not translate."""

    @classmethod
    def version_9(cls, ctx, node, **kwargs):
        shapes, dtypes = [ctx.get_shape(node.output[0])], [ctx.get_dtype(node.output[0])]
        ctx.remove_node(node.name)
        erf = ctx.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
        one = ctx.make_const(f"{node.name}_one", np.ones((), "float32"))
        inputs = [one.output[0], erf.output[0]]
        ctx.make_node("Sub", inputs, outputs=node.output, name=node.name, shapes=shapes, dtypes=dtypes)


def load(path: str) -> Callable:
    """A function of inputs that returns features, run by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: np.asarray(images)})[0]
