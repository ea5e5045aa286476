"""An exported encoder in other projects, each as short as it gets; test_examples.py runs them, and none is a test."""


def keras_classifier(path, images, labels, classes):
    """Keras: a classifier on the frozen encoder, then all of it, more gently towards the input."""
    import keras

    import sslzoo
    from sslzoo.evaluators.finetuning import decay_layerwise

    encoder = sslzoo.load_encoder(path)
    model = keras.Sequential([encoder, keras.layers.Dense(classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    encoder.trainable = False
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    frozen = model.fit(images, labels, epochs=5, verbose=0)

    encoder.trainable = True
    optimizer = decay_layerwise(keras.optimizers.Adam(0.001), encoder, layer_decay=0.75)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model, frozen, model.fit(images, labels, epochs=5, verbose=0)


def plain_tensorflow(path, images):
    """TensorFlow alone: neither sslzoo nor Keras."""
    import tensorflow as tf

    encoder = tf.saved_model.load(path)
    return encoder(tf.constant(images)).numpy()


def onnx_runtime(path, images):
    """ONNX Runtime, after `sslzoo export PATH --format onnx`: not even TensorFlow."""
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{path}/encoder.onnx")
    return session.run(None, {"images": images})[0]


def scikit_learn(path, images, labels):
    """scikit-learn: a pipeline from images to labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from sslzoo.exports.sklearn import EncoderTransformer

    return make_pipeline(EncoderTransformer(path), LogisticRegression(max_iter=1000)).fit(images, labels)


def simclr_v2(path, images, few, labels, folder):
    """SimCLR v2 on an export of `sslzoo train simclr --keep-projector`: few labels, then a smaller encoder without."""
    import keras

    import sslzoo

    encoder = sslzoo.load_encoder(path, projector_layers=1)
    teacher = keras.Sequential([encoder, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.Adam(0.001), loss, metrics=["accuracy"])
    teacher.fit(few, labels, epochs=20, verbose=0)
    teacher.save(f"{folder}/teacher.keras")

    places = dict(runs=f"{folder}/runs", export_to=folder, name="student")
    knobs = dict(teacher=f"{folder}/teacher.keras", units=32, min_scale=0.6, flip=False)
    training = dict(epochs=20, batch_size=60, optimizer="adam", learning_rate=0.02)
    return teacher, sslzoo.pretrain("distill", images, "mlp", **training, **knobs, **places)
