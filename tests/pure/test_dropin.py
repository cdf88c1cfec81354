"""Which public names of Keras 3.15 are here, in the modules of the first catalogue, and which are left out and why."""

from __future__ import annotations

import importlib

import pytest

from recorded.store import of_keras

KERAS = {
    "layers": """
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention
        AugMix AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D
        BatchNormalization Bidirectional CategoryEncoding CenterCrop Concatenate
        ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
        Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D
        Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CutMix Dense
        DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten
        FlaxLayer GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D
        GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D
        GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
        GroupQueryAttention HashedCrossing Hashing Identity Input InputLayer InputSpec IntegerLookup JaxLayer LSTM
        LSTMCell Lambda Layer LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D
        MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply
        Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
        RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
        RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
        RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
        ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D
        SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D
        SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract TFSMLayer TextVectorization
        TimeDistributed TorchModuleWrapper UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper
        ZeroPadding1D ZeroPadding2D ZeroPadding3D add average concatenate deserialize dot maximum minimum multiply
        serialize subtract
    """,
    "losses": """
        BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber KLDivergence
        LogCosh Loss MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError
        Poisson SparseCategoricalCrossentropy SquaredHinge Tversky binary_crossentropy binary_focal_crossentropy
        categorical_crossentropy categorical_focal_crossentropy categorical_generalized_cross_entropy
        categorical_hinge circle cosine_similarity ctc deserialize dice get hinge huber kl_divergence log_cosh
        mean_absolute_error mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson
        serialize sparse_categorical_crossentropy squared_hinge tversky
    """,
    "metrics": """
        AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy CategoricalCrossentropy
        CategoricalHinge ConcordanceCorrelation CosineSimilarity F1Score FBetaScore FalseNegatives FalsePositives
        Hinge IoU KLDivergence LogCoshError Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU
        MeanMetricWrapper MeanSquaredError MeanSquaredLogarithmicError Metric OneHotIoU OneHotMeanIoU
        PearsonCorrelation Poisson Precision PrecisionAtRecall R2Score Recall RecallAtPrecision RootMeanSquaredError
        SensitivityAtSpecificity SparseCategoricalAccuracy SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy
        SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives TruePositives binary_accuracy
        binary_crossentropy binary_focal_crossentropy categorical_accuracy categorical_crossentropy
        categorical_focal_crossentropy categorical_hinge concordance_correlation deserialize get hinge huber
        kl_divergence log_cosh mean_absolute_error mean_absolute_percentage_error mean_squared_error
        mean_squared_logarithmic_error pearson_correlation poisson serialize sparse_categorical_accuracy
        sparse_categorical_crossentropy sparse_top_k_categorical_accuracy squared_hinge top_k_categorical_accuracy
    """,
    "optimizers": """
        Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon Nadam
        Optimizer OptimizerMap RMSprop SGD ScheduleFreeAdamW deserialize get serialize
    """,
    "optimizers.schedules": """
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay LearningRateSchedule PiecewiseConstantDecay
        PolynomialDecay deserialize serialize
    """,
    "initializers": """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer Initializer LecunNormal
        LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer
        TruncatedNormal VarianceScaling Zeros constant deserialize get glorot_normal glorot_uniform he_normal
        he_uniform identity lecun_normal lecun_uniform ones orthogonal random_normal random_uniform serialize stft
        truncated_normal variance_scaling zeros
    """,
    "activations": """
        celu deserialize elu exponential gelu get glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh
        leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu serialize sigmoid silu soft_shrink softmax
        softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """,
    "regularizers": """
        L1 L1L2 L2 OrthogonalRegularizer Regularizer deserialize get l1 l1_l2 l2 orthogonal_regularizer serialize
    """,
    "constraints": """
        Constraint MaxNorm MinMaxNorm NonNeg UnitNorm deserialize get max_norm min_max_norm non_neg serialize
        unit_norm
    """,
    "callbacks": """
        BackupAndRestore CSVLogger Callback CallbackList EarlyStopping History LambdaCallback LearningRateScheduler
        ModelCheckpoint OrbaxCheckpoint ProgbarLogger ReduceLROnPlateau RemoteMonitor SwapEMAWeights TensorBoard
        TerminateOnNaN
    """,
    "utils": """
        Config CustomObjectScope FeatureSpace Progbar PyDataset Sequence array_to_img audio_dataset_from_directory
        clear_session custom_object_scope deserialize_keras_object disable_interactive_logging
        enable_interactive_logging get_custom_objects get_file get_registered_name get_registered_object
        get_source_inputs image_dataset_from_directory img_to_array is_interactive_logging_enabled is_keras_tensor
        load_img model_to_dot normalize pack_x_y_sample_weight pad_sequences plot_model register_keras_serializable
        save_img serialize_keras_object set_random_seed split_dataset standardize_dtype text_dataset_from_directory
        timeseries_dataset_from_array to_categorical unpack_x_y_sample_weight
    """,
}
"""All public functions and classes of `keras.NAME`."""

LEFT_OUT: dict[str, dict[str, str]] = {}
"""Module to reason to names."""


def left_out(module: str) -> set[str]:
    return {name for names in LEFT_OUT.get(module, {}).values() for name in names.split()}


@pytest.mark.parametrize("module", KERAS)
def test_what_is_not_left_out_is_here(module: str) -> None:
    ours = importlib.import_module(f"polykeras.{module}")
    missing = {name for name in KERAS[module].split() if not hasattr(ours, name)}
    assert missing - left_out(module) == set(), "missing, with no reason in LEFT_OUT"
    assert left_out(module) - missing == set(), "LEFT_OUT names what is here, or what Keras does not have"


@pytest.mark.parametrize("module", KERAS)
def test_what_is_here_is_exported(module: str) -> None:
    ours = importlib.import_module(f"polykeras.{module}")
    exported = getattr(ours, "__all__", dir(ours))
    assert {name for name in KERAS[module].split() if hasattr(ours, name) and name not in exported} == set()


def test_the_names_of_keras_2_mean_the_same() -> None:
    import polykeras as keras

    assert keras.utils.Sequence is keras.utils.PyDataset
    assert keras.mixed_precision.Policy is keras.DTypePolicy
    assert keras.mixed_precision.global_policy() == keras.DTypePolicy("float32")
    assert keras.version() == keras.__version__
    assert keras.utils.is_keras_tensor(keras.Input((2,)))
    assert not keras.utils.is_keras_tensor([1.0])
    assert keras.backend.is_float_dtype("bfloat16")
    assert keras.backend.is_int_dtype("uint8")


def test_a_layer_serializes_by_the_functions_of_its_module() -> None:
    from polykeras import layers

    config = layers.serialize(layers.Dense(3, "relu", name="first"))
    copy = layers.deserialize(config)
    assert (type(copy), copy.units, copy.name) == (layers.Dense, 3, "first")


@pytest.mark.parametrize(
    ("top_down", "visited"),
    [(True, [{"b": 1, "a": [2, (3,)]}, [2, (3,)], 2, (3,), 3, 1]), (False, [2, 3, (3,), [2, (3,)], 1])],
)
def test_traverse(top_down: bool, visited: list[object]) -> None:
    from polykeras import tree

    structure = {"b": 1, "a": [2, (3,)]}
    seen: list[object] = []
    assert tree.traverse(seen.append, structure, top_down) == structure
    assert seen == visited + ([] if top_down else [structure])
    assert tree.traverse(lambda part: part + 1 if isinstance(part, int) else None, structure, top_down) == {
        "b": 2,
        "a": [3, (4,)],
    }
    assert tree.traverse(lambda part: 0 if isinstance(part, tuple) else None, structure)["a"] == [2, 0]


def test_ops_numpy_is_a_view() -> None:
    from polykeras import ops

    assert ops.numpy.add is ops.add
    assert {"einsum", "where", "vectorize", "nanmean"} <= set(ops.numpy.__all__)
    assert not {"erf", "softmax", "svd", "scatter"} & set(ops.numpy.__all__)
    assert len(of_keras("ops").intersection(ops.numpy.__all__)) == 220  # in Keras 3.15; ops of our own come on top


def test_what_comes_later_says_so() -> None:
    import polykeras as keras

    with pytest.raises(NotImplementedError, match=r"ExportArchive is not available yet. Save the model"):
        keras.export.ExportArchive()
    config = keras.legacy.saving.serialize_keras_object(keras.layers.Dense(3))
    assert sorted(config) == ["class_name", "config"]
    assert keras.utils.legacy.deserialize_keras_object is keras.legacy.saving.deserialize_keras_object
