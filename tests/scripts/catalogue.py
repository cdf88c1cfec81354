"""Published scripts that are run by name: where they are, on which backends each can run, and what it finds beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Scripts of one repository at one commit.

    Attributes:
        option: the option of run.py that says where a clone is.
        repository: its name on GitHub.
        commit: at which the scripts are read.
        scripts: one a line: the path, then, where they are not all, its backends, then `file:` and names of fakes that
            lie in its folder, `env:` and variables of the environment that it needs, `epochs:` where it counts on a
            number of epochs, and, where it holds code of a framework that trains, `native:` and what kind, and `steps:`
            of an epoch, in which its losses are to fall.
        beside: paths of the repository that scripts import from.
    """

    option: str
    repository: str
    commit: str
    scripts: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Script:
    """A script of a source, and what it needs."""

    source: Source
    path: str
    backends: tuple[str, ...]
    files: tuple[str, ...]
    epochs: str
    native: tuple[str, ...]
    steps: str
    env: tuple[str, ...]


BACKENDS = ("jax", "torch", "tensorflow")

SOURCES = (
    Source("keras", "keras-team/keras", "3422977a5e38fb2f7709aaa9a08e47f0c43d0f60", """
        guides/functional_api.py
        guides/making_new_layers_and_models_via_subclassing.py
        guides/sequential_model.py
        guides/training_with_built_in_methods.py
        guides/transfer_learning.py
        guides/understanding_masking_and_padding.py
        guides/writing_your_own_callbacks.py
        guides/custom_train_step_in_jax.py jax native:train_step steps:8 epochs:5
        guides/custom_train_step_in_tensorflow.py tensorflow native:train_step steps:8 epochs:5
        guides/custom_train_step_in_torch.py torch native:train_step steps:8 epochs:5
        guides/writing_a_custom_training_loop_in_jax.py jax native:loop steps:20
        guides/writing_a_custom_training_loop_in_tensorflow.py tensorflow native:loop steps:20
        guides/writing_a_custom_training_loop_in_torch.py torch native:loop steps:20
        examples/demo_custom_jax_workflow.py jax native:loop steps:20
        examples/demo_custom_layer_backend_agnostic.py
        examples/demo_custom_tf_workflow.py tensorflow native:loop steps:20
        examples/demo_custom_torch_workflow.py torch native:torch.optim steps:20
        guides/distributed_training_with_jax.py jax native:loop steps:20
        examples/demo_functional.py
        examples/demo_mnist_convnet.py
        examples/demo_subclass.py
    """),
    Source("keras", "keras-team/keras", "f295e8ee39d4ba841ac281a9337d69c7bc5e0eb6", """
        examples/addition_rnn.py
        examples/antirectifier.py
        examples/babi_rnn.py
        examples/cifar10_cnn.py
        examples/cifar10_resnet.py
        examples/cnn_seq2seq.py file:fra-eng.zip
        examples/conv_lstm.py
        examples/imdb_bidirectional_lstm.py
        examples/imdb_cnn.py
        examples/imdb_cnn_lstm.py
        examples/imdb_fasttext.py
        examples/imdb_lstm.py
        examples/lstm_seq2seq.py file:fra-eng.zip
        examples/lstm_stateful.py
        examples/lstm_text_generation.py
        examples/mnist_acgan.py
        examples/mnist_cnn.py
        examples/mnist_denoising_autoencoder.py
        examples/mnist_hierarchical_rnn.py
        examples/mnist_irnn.py
        examples/mnist_mlp.py
        examples/mnist_net2net.py
        examples/mnist_siamese.py
        examples/mnist_sklearn_wrapper.py
        examples/mnist_transfer_cnn.py
        examples/pretrained_word_embeddings.py file:glove.6B.zip file:news20.tar.gz
        examples/reuters_mlp.py
        examples/reuters_mlp_relu_vs_selu.py epochs:40
        examples/variational_autoencoder.py
        examples/variational_autoencoder_deconv.py
        examples/mnist_swwae.py
        examples/conv_filter_visualization.py
    """),
    Source("keras", "keras-team/keras", "2588a15440a10de8d0cc10b50c21ede333a2bd01", """
        examples/keras_io/generative/pixelcnn.py
        examples/keras_io/generative/text_generation_with_miniature_gpt.py file:aclImdb_v1.tar.gz
        examples/keras_io/nlp/addition_rnn.py
        examples/keras_io/nlp/bidirectional_lstm_imdb.py
        examples/keras_io/nlp/lstm_seq2seq.py
        examples/keras_io/structured_data/collaborative_filtering_movielens.py
        examples/keras_io/structured_data/deep_neural_decision_forests.py
        examples/keras_io/timeseries/timeseries_anomaly_detection.py
        examples/keras_io/timeseries/timeseries_classification_from_scratch.py
        examples/keras_io/timeseries/timeseries_classification_transformer.py
        examples/keras_io/timeseries/timeseries_weather_forecasting.py
        examples/keras_io/vision/attention_mil_classification.py
        examples/keras_io/vision/autoencoder.py
        examples/keras_io/vision/cct.py
        examples/keras_io/vision/conv_lstm.py
        examples/keras_io/vision/convmixer.py
        examples/keras_io/vision/eanet.py
        examples/keras_io/vision/image_classification_from_scratch.py file:kagglecatsanddogs_5340.zip
        examples/keras_io/vision/image_classification_with_vision_transformer.py
        examples/keras_io/vision/knowledge_distillation.py
        examples/keras_io/vision/mlp_image_classification.py
        examples/keras_io/vision/mnist_convnet.py
        examples/keras_io/vision/oxford_pets_image_segmentation.py file:pets
        examples/keras_io/vision/siamese_contrastive.py
        examples/keras_io/vision/super_resolution_sub_pixel.py
        examples/keras_io/vision/supervised_contrastive_learning.py
        examples/keras_io/vision/token_learner.py
        examples/keras_io/tensorflow/generative/dcgan_overriding_train_step.py tensorflow native:train_step steps:8 epochs:2
        examples/keras_io/tensorflow/generative/deep_dream.py tensorflow native:tape steps:10
        examples/keras_io/tensorflow/generative/lstm_character_level_text_generation.py
        examples/keras_io/tensorflow/generative/neural_style_transfer.py tensorflow native:tape steps:10
        examples/keras_io/tensorflow/nlp/end_to_end_mlm_with_bert.py tensorflow file:aclImdb_v1.tar.gz
        examples/keras_io/tensorflow/generative/vae.py tensorflow native:train_step steps:10 epochs:3
        examples/keras_io/tensorflow/generative/wgan_gp.py tensorflow native:train_step steps:10 epochs:2
        examples/keras_io/tensorflow/keras_recipes/antirectifier.py tensorflow
        examples/keras_io/tensorflow/keras_recipes/endpoint_layer_pattern.py tensorflow
        examples/keras_io/tensorflow/keras_recipes/subclassing_conv_layers.py tensorflow
        examples/keras_io/tensorflow/keras_recipes/tensorflow_numpy_models.py tensorflow native:layers steps:10 epochs:8
        examples/keras_io/tensorflow/keras_recipes/trainer_pattern.py tensorflow native:train_step steps:10 epochs:3
        examples/keras_io/tensorflow/nlp/pretrained_word_embeddings.py file:glove.6B.zip
        examples/keras_io/tensorflow/nlp/text_classification_from_scratch.py
        examples/keras_io/tensorflow/structured_data/imbalanced_classification.py file:/Users/fchollet/Downloads/creditcard.csv
        examples/keras_io/tensorflow/structured_data/movielens_recommendations_transformers.py
        examples/keras_io/tensorflow/structured_data/structured_data_classification_from_scratch.py
        examples/keras_io/tensorflow/structured_data/structured_data_classification_with_feature_space.py
        examples/keras_io/tensorflow/timeseries/timeseries_traffic_forecasting.py tensorflow
        examples/keras_io/tensorflow/vision/captcha_ocr.py tensorflow file:captcha_images_v2.zip
        examples/keras_io/tensorflow/vision/cutmix.py tensorflow
        examples/keras_io/tensorflow/vision/grad_cam.py tensorflow
        examples/keras_io/tensorflow/vision/image_classification_from_scratch.py
        examples/keras_io/tensorflow/vision/involution.py tensorflow
        examples/keras_io/tensorflow/vision/metric_learning.py tensorflow native:train_step steps:10 epochs:3
        examples/keras_io/tensorflow/vision/mixup.py tensorflow
        examples/keras_io/tensorflow/vision/perceiver_image_classification.py tensorflow
        examples/keras_io/tensorflow/vision/shiftvit.py tensorflow native:train_step steps:5 epochs:4
        examples/keras_io/tensorflow/vision/swim_transformers.py tensorflow
        examples/keras_io/tensorflow/vision/visualizing_what_convnets_learn.py tensorflow
    """),
    Source("book", "fchollet/deep-learning-with-python-notebooks", "dea84a4e12cc3bb3cb61ce952a0168bca113d315", """
        first_edition/2.1-a-first-look-at-a-neural-network.ipynb
        first_edition/3.5-classifying-movie-reviews.ipynb
        first_edition/3.6-classifying-newswires.ipynb
        first_edition/3.7-predicting-house-prices.ipynb
        first_edition/4.4-overfitting-and-underfitting.ipynb epochs:20
        first_edition/5.1-introduction-to-convnets.ipynb
        first_edition/6.1-one-hot-encoding-of-words-or-characters.ipynb
        first_edition/6.2-understanding-recurrent-neural-networks.ipynb
        first_edition/6.4-sequence-processing-with-convnets.ipynb
        first_edition/8.1-text-generation-with-lstm.ipynb
        chapter04_classification-and-regression.ipynb epochs:200
        chapter05_fundamentals-of-ml.ipynb epochs:20
        chapter13_timeseries-forecasting.ipynb file:jena_climate_2009_2016.csv
        chapter02_mathematical-building-blocks.ipynb tensorflow native:loop steps:20 epochs:2
        chapter07_deep-dive-keras.ipynb native:loop,train_step steps:10 epochs:4
        second_edition/chapter02_mathematical-building-blocks.ipynb tensorflow native:loop steps:20 epochs:2
        second_edition/chapter03_introduction-to-keras-and-tf.ipynb tensorflow native:loop steps:20 epochs:2
        second_edition/chapter07_working-with-keras.ipynb tensorflow native:loop,train_step steps:10 epochs:4
        second_edition/chapter12_part02_deep-dream.ipynb tensorflow native:tape steps:10
        second_edition/chapter12_part03_neural-style-transfer.ipynb tensorflow native:tape steps:10
        second_edition/chapter12_part05_gans.ipynb tensorflow native:train_step steps:8 epochs:2 file:celeba_gan.zip
        second_edition/chapter12_part04_variational-autoencoders.ipynb tensorflow native:train_step steps:10 epochs:3
    """),
    Source("docs", "tensorflow/docs", "7c3650212740204359d4ceae481abc79345541be", """
        site/en/tutorials/quickstart/advanced.ipynb tensorflow native:loop steps:10
        site/en/tutorials/customization/custom_training_walkthrough.ipynb tensorflow native:loop steps:300
        site/en/tutorials/generative/cvae.ipynb tensorflow native:loop steps:20
        site/en/tutorials/generative/dcgan.ipynb tensorflow native:loop steps:8
    """),
    Source("io", "LukeWood/keras-io", "e4799e8c9e6e0eb990f0ebfb197d88bf78ec0ae4", """
        guides/customizing_what_happens_in_fit.py tensorflow native:train_step steps:31 epochs:5
        guides/intro_to_keras_for_engineers.py tensorflow
        examples/generative/conditional_gan.py tensorflow native:train_step steps:8 epochs:2
        examples/generative/real_nvp.py tensorflow native:train_step steps:10 epochs:4
        examples/vision/knowledge_distillation.py tensorflow native:train_step steps:10 epochs:3
        examples/vision/nerf.py tensorflow native:train_step steps:5 epochs:2
        examples/keras_recipes/debugging_tips.py tensorflow native:train_step steps:5 epochs:2
    """),
    Source("nerf", "ariG23498/nerf-keras-jax", "08d20fdb3832c3fd68182569143d5b96e5ed7345", """
        train.py jax native:train_step steps:5 epochs:4
    """, beside=("nerf_keras_jax",)),
    Source("pinn", "Mathmode/PINNS-and-DFR-examples", "9397da56fd217101871027b2a4cf30e581dfe399", """
        DFR1D_jax.py jax native:layers steps:1 epochs:100 env:JAX_ENABLE_X64=1
        DFR1D_tf.py tensorflow native:layers steps:1 epochs:100
        PINNs1D_jax.py jax native:layers steps:1 epochs:100
        PINNs1D_tf.py tensorflow native:layers steps:1 epochs:100
        PINNs1D_torch.py torch native:layers steps:1 epochs:100
    """),
    Source("recml", "AI-Hypercomputer/RecML", "c1d33cb79cdc044fc70c781bdc9c82119be85c0b", """
        recml/core/training/jax_trainer_test.py jax native:optax steps:20
    """, beside=("recml",)),
    Source("tcn", "philipperemy/keras-tcn", "7576256b8b2a138b88ae2483b8616681686e424f", """
        tasks/bidirect_tcn.py
        tasks/imdb_tcn.py
        tasks/many_to_many.py
        tasks/multi_length_sequences.py
        tasks/non_causal.py
        tasks/save_reload_sequential_model.py
        tasks/sequential.py
        tasks/time_series_forecasting.py
        tasks/adding_problem/main.py
        tasks/copy_memory/main.py
        tasks/mnist_pixel/main.py
    """, beside=("tcn", ":(glob)tasks/*.csv", ":(glob)tasks/*/utils.py")),
)  # fmt: skip

# Losses that do not fall by their nature, by the end of the script's path and a part of the series' name.
BY_NATURE = {
    ("deep_dream.py", ""): "gradient ascent: the script adds the gradient to its picture, so that its loss is to rise",
    (
        "deep-dream.ipynb",
        "",
    ): "gradient ascent: the script adds the gradient to its picture, so that its loss is to rise",
    ("customizing_what_happens_in_fit.py", "train_step (4)"): "the generator's loss rises as the discriminator's falls",
    ("dcgan_overriding_train_step.py", "train_step (2)"): "the generator's loss rises as the discriminator's falls",
}

# Why numbers of scripts differ from Keras's, or cannot be compared, by the end of commit and path.
TWICE = (
    "Keras's Adam squares the parts of the gradient of an embedding's row, where a batch has it twice, on TensorFlow"
)
COMPILED = (
    "`compiled_metrics.update_state` of Keras gives the predictions to the tracker of the loss too: `loss` in the logs is "
    "their mean; all else is equal"
)
UNLIKE_KERAS = {
    "guides/making_new_layers_and_models_via_subclassing.py": (
        "Keras keeps the loss of the first `compile` where the second names none; all else is equal"
    ),
    "guides/training_with_built_in_methods.py": (
        "Keras keeps metrics of an earlier `compile`, and loses the first batch of a `PyDataset` with workers; all else is equal"
    ),
    "nlp/end_to_end_mlm_with_bert.py": TWICE,
    "e4799e8:examples/vision/knowledge_distillation.py": COMPILED,
    "keras_recipes/debugging_tips.py": COMPILED,
    "vision/token_learner.py": "Keras's `RandomCrop` gives images as they are outside training; the training is equal",
    "chapter04_classification-and-regression.ipynb": (
        "over 200 epochs rounding moves up to 4 of 1,024 samples across the decision; all losses are equal"
    ),
    "second_edition/chapter07_working-with-keras.ipynb": (
        "labels of classes do not sum to 1, and Keras's gradient is that of labels that do, on TensorFlow"
    ),
    "nlp/text_classification_from_scratch.py": TWICE,
    "guides/sequential_model.py": "it trains nothing",
    "guides/understanding_masking_and_padding.py": "it trains nothing",
}


def scripts() -> Iterator[Script]:
    """Give all scripts."""
    for source in SOURCES:
        for line in source.scripts.split("\n"):
            if words := line.split():
                backends = tuple(word for word in words if word in BACKENDS) or BACKENDS
                marks = {mark: marked(f"{mark}:", words) for mark in ("file", "epochs", "native", "steps", "env")}
                epochs, steps = ("".join(marks[mark]) for mark in ("epochs", "steps"))
                yield Script(source, words[0], backends, marks["file"], epochs, marks["native"], steps, marks["env"])


def marked(mark: str, words: list[str]) -> tuple[str, ...]:
    """Return the words that begin with a mark, without it."""
    return tuple(word.removeprefix(mark) for word in words if word.startswith(mark))
