"""Operations on images: Keras's `ops.image`. Loaded on first use."""

from polykeras.ops.image.color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from polykeras.ops.image.filters import gaussian_blur, sobel_edges, ssim
from polykeras.ops.image.patches import extract_patches, extract_patches_3d, reconstruct_patches
from polykeras.ops.image.sampling import map_coordinates
from polykeras.ops.image.scaling import scale_and_translate
from polykeras.ops.image.sizes import crop_images, pad_images, resize
from polykeras.ops.image.transforms import affine_transform, elastic_transform, perspective_transform

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "reconstruct_patches",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]
