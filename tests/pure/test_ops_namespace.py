"""The public namespace has every function of Keras 3.15's NumPy family, with the same parameters and defaults.

What Keras 3.16 adds to it is there too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil

import pytest

from polykeras import ops

KERAS = """
abs(x)
absolute(x)
add(x1, x2)
all(x, axis=None, keepdims=False)
allclose(x1, x2, rtol=1e-05, atol=1e-08, equal_nan=False)
amax(x, axis=None, keepdims=False)
amin(x, axis=None, keepdims=False)
angle(x)
any(x, axis=None, keepdims=False)
append(x1, x2, axis=None)
arange(start, stop=None, step=None, dtype=None)
arccos(x)
arccosh(x)
arcsin(x)
arcsinh(x)
arctan(x)
arctan2(x1, x2)
arctanh(x)
argmax(x, axis=None, keepdims=False)
argmin(x, axis=None, keepdims=False)
argpartition(x, kth, axis=-1)
argsort(x, axis=-1)
array(x, dtype=None)
array_split(x, indices_or_sections, axis=0)
average(x, axis=None, weights=None)
bartlett(x)
bincount(x, weights=None, minlength=0, sparse=False)
bitwise_and(x, y)
bitwise_invert(x)
bitwise_left_shift(x, y)
bitwise_not(x)
bitwise_or(x, y)
bitwise_right_shift(x, y)
bitwise_xor(x, y)
blackman(x)
broadcast_to(x, shape)
cbrt(x)
ceil(x)
clip(x, x_min, x_max)
concatenate(xs, axis=0)
conj(x)
conjugate(x)
copy(x)
corrcoef(x)
correlate(x1, x2, mode='valid')
cos(x)
cosh(x)
count_nonzero(x, axis=None)
cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None)
cumprod(x, axis=None, dtype=None)
cumsum(x, axis=None, dtype=None)
deg2rad(x)
diag(x, k=0)
diagflat(x, k=0)
diagonal(x, offset=0, axis1=0, axis2=1)
diff(a, n=1, axis=-1)
digitize(x, bins)
divide(x1, x2)
divide_no_nan(x1, x2)
dot(x1, x2)
dsplit(x, indices_or_sections)
dstack(xs)
einsum(subscripts, *operands, **kwargs)
empty(shape, dtype=None)
empty_like(x, dtype=None)
equal(x1, x2)
exp(x)
exp2(x)
expand_dims(x, axis)
expm1(x)
eye(N, M=None, k=0, dtype=None)
fabs(x)
flip(x, axis=None)
fliplr(x)
flipud(x)
floor(x)
floor_divide(x1, x2)
fmax(x1, x2)
fmin(x1, x2)
fmod(x1, x2)
full(shape, fill_value, dtype=None)
full_like(x, fill_value, dtype=None)
gcd(x1, x2)
geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0)
get_item(x, key)
greater(x1, x2)
greater_equal(x1, x2)
hamming(x)
hanning(x)
heaviside(x1, x2)
histogram(x, bins=10, range=None)
hsplit(x, indices_or_sections)
hstack(xs)
hypot(x1, x2)
i0(x)
identity(n, dtype=None)
imag(x)
inner(x1, x2)
isclose(x1, x2, rtol=1e-05, atol=1e-08, equal_nan=False)
isfinite(x)
isin(x1, x2, assume_unique=False, invert=False)
isinf(x)
isnan(x)
isneginf(x)
isposinf(x)
isreal(x)
kaiser(x, beta)
kron(x1, x2)
lcm(x1, x2)
ldexp(x1, x2)
left_shift(x, y)
less(x1, x2)
less_equal(x1, x2)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
log(x)
log10(x)
log1p(x)
log2(x)
logaddexp(x1, x2)
logaddexp2(x1, x2)
logical_and(x1, x2)
logical_not(x)
logical_or(x1, x2)
logical_xor(x1, x2)
logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0)
matmul(x1, x2)
max(x, axis=None, keepdims=False, initial=None)
maximum(x1, x2)
mean(x, axis=None, keepdims=False)
median(x, axis=None, keepdims=False)
meshgrid(*x, indexing='xy')
min(x, axis=None, keepdims=False, initial=None)
minimum(x1, x2)
mod(x1, x2)
moveaxis(x, source, destination)
multiply(x1, x2)
nan_to_num(x, nan=0.0, posinf=None, neginf=None)
nanargmax(x, axis=None, keepdims=False)
nanargmin(x, axis=None, keepdims=False)
nancumprod(x, axis=None, dtype=None)
nancumsum(x, axis=None, dtype=None)
nanmax(x, axis=None, keepdims=False)
nanmean(x, axis=None, keepdims=False)
nanmedian(x, axis=None, keepdims=False)
nanmin(x, axis=None, keepdims=False)
nanpercentile(x, q, axis=None, method='linear', keepdims=False)
nanprod(x, axis=None, keepdims=False)
nanquantile(x, q, axis=None, method='linear', keepdims=False)
nanstd(x, axis=None, keepdims=False)
nansum(x, axis=None, keepdims=False)
nanvar(x, axis=None, keepdims=False)
ndim(x)
negative(x)
nextafter(x1, x2)
nonzero(x)
not_equal(x1, x2)
ones(shape, dtype=None)
ones_like(x, dtype=None)
outer(x1, x2)
pad(x, pad_width, mode='constant', constant_values=None)
percentile(x, q, axis=None, method='linear', keepdims=False)
power(x1, x2)
prod(x, axis=None, keepdims=False, dtype=None)
ptp(x, axis=None, keepdims=False)
quantile(x, q, axis=None, method='linear', keepdims=False)
rad2deg(x)
ravel(x)
real(x)
reciprocal(x)
repeat(x, repeats, axis=None)
reshape(x, newshape)
right_shift(x, y)
roll(x, shift, axis=None)
rot90(array, k=1, axes=(0, 1))
round(x, decimals=0)
searchsorted(sorted_sequence, values, side='left')
select(condlist, choicelist, default=0)
sign(x)
signbit(x)
sin(x)
sinc(x)
sinh(x)
size(x)
slogdet(x)
sort(x, axis=-1)
split(x, indices_or_sections, axis=0)
sqrt(x)
square(x)
squeeze(x, axis=None)
stack(x, axis=0)
std(x, axis=None, keepdims=False)
subtract(x1, x2)
sum(x, axis=None, keepdims=False)
swapaxes(x, axis1, axis2)
take(x, indices, axis=None)
take_along_axis(x, indices, axis=None)
tan(x)
tanh(x)
tensordot(x1, x2, axes=2)
tile(x, repeats)
trace(x, offset=0, axis1=0, axis2=1)
transpose(x, axes=None)
trapezoid(y, x=None, dx=1.0, axis=-1)
tri(N, M=None, k=0, dtype=None)
tril(x, k=0)
triu(x, k=0)
true_divide(x1, x2)
trunc(x)
unique(x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None, size=None, fill_value=None)
unravel_index(indices, shape)
vander(x, N=None, increasing=False)
var(x, axis=None, keepdims=False)
vdot(x1, x2)
vectorize(pyfunc, *, excluded=None, signature=None)
view(x, dtype=None)
vsplit(x, indices_or_sections)
vstack(xs)
where(condition, x1=None, x2=None)
zeros(shape, dtype=None)
zeros_like(x, dtype=None)
"""
"""`inspect.signature` of all functions of `keras.ops.numpy` of Keras 3.15."""

KERAS_NEXT = """
amax(x, axis=None, keepdims=False, initial=None)
amin(x, axis=None, keepdims=False, initial=None)
column_stack(xs)
copysign(x1, x2)
cov(x)
float_power(x1, x2)
"""
"""What Keras 3.16 adds or changes: `inspect.signature` in its nightly of 2026-10-27 (3.16.0.dev2026102704)."""

ABSENT: dict[str, str] = {}
"""Names that are deliberately not there, each with the reason."""

FUNCTIONS = dict(line.split("(", 1) for line in (KERAS.strip() + KERAS_NEXT).strip().splitlines())


def _parameters(function: ast.FunctionDef) -> list[tuple[str, str, str]]:
    """Return name, kind and default of each parameter, as text."""
    a = function.args
    defaults = ["", *map(ast.unparse, a.defaults)]
    positional = [
        (p.arg, "positional", defaults[max(0, len(defaults) - len(a.args) + i)]) for i, p in enumerate(a.args)
    ]
    keywords = [(p.arg, "keyword", ast.unparse(d)) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d]
    starred = [(a.vararg.arg, "*", "")] if a.vararg else []
    return [*positional, *starred, *keywords, *([(a.kwarg.arg, "**", "")] if a.kwarg else [])]


def _of_text(signature: str) -> list[tuple[str, str, str]]:
    function = ast.parse(f"def f{signature}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return _parameters(function)


def _of_function(name: str) -> list[tuple[str, str, str]]:
    signature = inspect.signature(getattr(ops, name))
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return _of_text(str(signature.replace(parameters=bare, return_annotation=signature.empty)))


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(ABSENT)))
def test_same_parameters_and_defaults(name: str) -> None:
    expected, found = _of_text("(" + FUNCTIONS[name]), _of_function(name)
    assert found == expected


def test_what_is_absent_is_absent() -> None:
    assert [name for name in ABSENT if hasattr(ops, name)] == []
    assert sorted(set(ABSENT) - set(FUNCTIONS)) == [], "not a name of Keras"


def test_a_name_means_one_function_and_is_exported() -> None:
    for module in pkgutil.iter_modules(ops.__path__):
        if module.ispkg:  # a namespace of its own, as `ops.image`
            continue
        family = importlib.import_module(f"polykeras.ops.{module.name}")
        for name in family.__all__:
            assert getattr(ops, name, None) is getattr(family, name), f"ops.{name} is not that of ops/{module.name}.py"
