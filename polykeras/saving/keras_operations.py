"""The operation classes of Keras (`KERAS_RELEASE`), as configs of graphs name them.

Files name an op by its Keras class and the module of the class. Only these classes can be read there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

_MODULES = {
    "core": """
        AssociativeScan Cast Cond ConvertToTensor ForiLoop Map SaturateCast Scan Scatter ScatterUpdate Slice SliceUpdate
        StopGradient Switch Unstack VectorizedMap WhileLoop
    """,
    "einops": """
        Rearrange
    """,
    "image": """
        AffineTransform CropImages ElasticTransform ExtractPatches GaussianBlur HSVToRGB MapCoordinates PadImages
        PerspectiveTransform RGBToGrayscale RGBToHSV Resize SSIM ScaleAndTranslate SobelEdges
    """,
    "linalg": """
        Cholesky CholeskyInverse Det Eig Eigh Inv JVP Lstsq LuFactor MatrixRank Norm Pinv Qr SVD Solve SolveTriangular
    """,
    "math": """
        CDist Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT InTopK Logdet Logsumexp RFFT Rsqrt STFT
        SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum TopK ViewAsComplex ViewAsReal
    """,
    "nn": """
        AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy CTCDecode CTCLoss
        CategoricalCrossentropy Celu Conv ConvTranspose DepthToSpace DepthwiseConv DotProductAttention Elu Fold Gelu Glu
        HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot
        Normalize OneHot PSNR Polar RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus
        Softsign SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink
        Threshold Unfold
    """,
    "numpy": """
        Abs Absolute Add All AllClose Amax Amin Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2
        Arctanh Argmax Argmin Argpartition Argsort Array ArraySplit Average Bincount BitwiseAnd BitwiseInvert
        BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor BroadcastTo Cbrt Ceil Clip Concatenate Conj
        Conjugate Copy Corrcoef Correlate Cos Cosh CountNonzero Cross Cumprod Cumsum Deg2rad Diag Diagflat Diagonal Diff
        Digitize Divide DivideNoNan Dot Dsplit Dstack Einsum EmptyLike Equal Exp Exp2 ExpandDims Expm1 Fabs Flip Fliplr
        Flipud Floor FloorDivide Fmax Fmin Fmod Full FullLike Gcd Geomspace GetItem Greater GreaterEqual Heaviside
        Histogram Hsplit Hstack Hypot I0 Imag Inner IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Kron Lcm
        Ldexp LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 Logaddexp Logaddexp2 LogicalAnd LogicalNot
        LogicalOr LogicalXor Logspace Matmul Max Maximum Mean Median Meshgrid Min Minimum Mod Moveaxis Multiply NanToNum
        Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile Nanprod Nanquantile
        Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero NotEqual OnesLike Outer Pad Percentile Power Prod Ptp
        Quantile Rad2deg Ravel Real Reciprocal Repeat Reshape RightShift Roll Rot90 Round SearchSorted Select Sign
        Signbit Sin Sinc Sinh Size Slogdet Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take
        TakeAlongAxis Tan Tanh Tensordot Tile Trace Transpose Trapezoid Tril Triu TrueDivide Trunc Unique UnravelIndex
        Vander Var Vdot View Vsplit Vstack Where ZerosLike
    """,
}

OPS = "keras.src.ops."
CLASSES = {name: f"{OPS}{module}" for module, names in _MODULES.items() for name in names.split()}
"""The module of each class, by name."""

_OTHER_NAMES = {
    "batch_normalization": "BatchNorm",
    "hard_swish": "HardSilu",
    "layer_normalization": "LayerNorm",
    "rms_normalization": "RMSNorm",
    "swish": "Silu",
}
_FOLDED = {name.lower(): name for name in CLASSES}


def class_of(op: str) -> str | None:
    """Return the Keras class of an op, such as `"ExpandDims"` for `"expand_dims"`, or None if Keras has none."""
    return _OTHER_NAMES.get(op) or _FOLDED.get(op.removeprefix("image.").replace("_", ""))


def warn_of_own_ops(config: Any, title: str, path: str) -> None:
    """Warn about ops of a model that Keras does not know, when the model is written to a file.

    Args:
        config: the config of the model.
        title: the title of the model, for the message.
        path: the file.
    """
    found = sorted(set(_own_ops(config)))
    if found:
        warnings.warn(
            f"{path}: polykeras can read this file, but Keras cannot: {title} has the op(s) {', '.join(found)} in its "
            "graph, for which Keras has no operation. Replace them by layers, or by ops that Keras has.",
            stacklevel=5,
        )


def _own_ops(config: Any) -> list[str]:
    found: list[str] = []
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if part.get("module") == "polykeras.graph" and part.get("class_name") == "OpOperation":
                found.append(part["config"]["op"])
            left += part.values()
        elif isinstance(part, (list, tuple)):
            left += part
    return found
