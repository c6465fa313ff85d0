"""A step of a whole stack of perceptrons as one native call: forwards, backwards and AdamW.

On eight examples, a step of 48 perceptrons of width 64 is 0.3 ms of arithmetic and forty calls into torch, each of
which finds its code and its tables driven out of the cache by the 7 MB that the optimizer has just gone over, and half
of the weights in the other core.  Here a model is done with while all that it needs is at hand, and its gradients never
leave the cache.
"""

import ctypes
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from suite.blocks.models.layers import Linear
from suite.blocks.models.mlp import MLP

# A panel of a product is ROWS x 2 vectors that stay in registers; what does not fill a panel goes row by row, vector by
# vector, and the last vector may be a partial one.  Every number is one chain of fused multiply-adds over the inner
# axis, wherever it stands in the panel.
SOURCE = r"""
#include <ATen/cpu/vec/vec.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#if defined(__SSE__)
#include <immintrin.h>
using Mode = unsigned int;  // among others, whether subnormal numbers count as zero
static Mode processor_mode() { return _mm_getcsr(); }
static void set_processor_mode(Mode mode) { _mm_setcsr(mode); }
#else
using Mode = int;
static Mode processor_mode() { return 0; }
static void set_processor_mode(Mode) {}
#endif

using Vec = at::vec::Vectorized<float>;
constexpr int LANES = Vec::size();
constexpr int ROWS = LANES >= 16 ? 8 : 4;

struct Matrix { const float* at; int64_t row, column; };  // element (i, k) is at[i * row + k * column]

template <int M, int N>
inline void panel(int inner, Matrix a, const float* b, int64_t b_row, const float* bias, float* c, int64_t c_row,
                  int last) {
  Vec sums[M][N];
  for (int n = 0; n < N; ++n) {
    int count = n == N - 1 ? last : LANES;
    Vec start = bias ? Vec::loadu(bias + n * LANES, count) : Vec(0.0f);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sums[m][n] = start;
  }
  for (int k = 0; k < inner; ++k) {
    Vec right[N];
    for (int n = 0; n < N; ++n)
      right[n] = n == N - 1 && last < LANES ? Vec::loadu(b + k * b_row + n * LANES, last)
                                            : Vec::loadu(b + k * b_row + n * LANES);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      Vec left(a.at[m * a.row + k * a.column]);
      for (int n = 0; n < N; ++n) sums[m][n] = at::vec::fmadd(left, right[n], sums[m][n]);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) sums[m][n].store(c + m * c_row + n * LANES, n == N - 1 ? last : LANES);
}

template <int N>
inline void stripe(int rows, int inner, Matrix a, const float* b, int64_t b_row, const float* bias, float* c,
                   int64_t c_row, int last) {
  int m = 0;
  for (; m + ROWS <= rows; m += ROWS)
    panel<ROWS, N>(inner, {a.at + m * a.row, a.row, a.column}, b, b_row, bias, c + m * c_row, c_row, last);
  for (; m < rows; ++m)
    panel<1, N>(inner, {a.at + m * a.row, a.row, a.column}, b, b_row, bias, c + m * c_row, c_row, last);
}

// c [rows, columns] = a [rows, inner] b [inner, columns] + bias
static void product(int rows, int columns, int inner, Matrix a, const float* b, const float* bias, float* c) {
  int n = 0;
  for (; n + 2 * LANES <= columns; n += 2 * LANES)
    stripe<2>(rows, inner, a, b + n, columns, bias ? bias + n : nullptr, c + n, columns, LANES);
  for (; n < columns; n += LANES)
    stripe<1>(rows, inner, a, b + n, columns, bias ? bias + n : nullptr, c + n, columns, std::min(LANES, columns - n));
}

struct Rule { float beta1, beta2, size, eps; };  // size and eps hold the corrections of this step

// to [columns, rows] = from [rows, columns], tile by tile
static void transpose(int rows, int columns, const float* from, float* to) {
  int i = 0;
  for (; i + LANES <= rows; i += LANES) {
    int j = 0;
    for (; j + LANES <= columns; j += LANES)
      at::vec::transpose_mxn<float, LANES, LANES>(from + i * columns + j, columns, to + j * rows + i, rows);
    for (; j < columns; ++j)
      for (int k = i; k < i + LANES; ++k) to[j * rows + k] = from[k * columns + j];
  }
  for (; i < rows; ++i)
    for (int j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
}

// to[i] = f(i, count) for vectors of count numbers from number i on
template <typename F>
inline void fill(int64_t numbers, float* to, F f) {
  int64_t i = 0;
  for (; i + LANES <= numbers; i += LANES) f(i, LANES).store(to + i);
  if (i < numbers) f(i, numbers - i).store(to + i, numbers - i);
}

// The mean loss of a model's logits z [batch, classes]; g becomes its gradient.
static float cross_entropy(int64_t batch, int64_t classes, const float* z, const int64_t* y, float* g) {
  float sum = 0;
  for (int64_t n = 0; n < batch; ++n, z += classes, g += classes) {
    float largest = *std::max_element(z, z + classes), total = 0;
    fill(classes, g, [&](int64_t i, int64_t n) { return (Vec::loadu(z + i, n) - Vec(largest)).exp(); });
    for (int64_t c = 0; c < classes; ++c) total += g[c];
    sum += std::log(total) + largest - z[y[n]];
    for (int64_t c = 0; c < classes; ++c) g[c] = (g[c] / total - (c == y[n])) / batch;
  }
  return sum / batch;
}

// AdamW on the numbers of one layer of one model; it has used its weights already
static void update(int64_t numbers, const float* gradient, float* weight, float* mean, float* square, const Rule& rule,
                   float rate, float decay) {
  Vec kept(1 - rate * decay), first(1 - rule.beta1), second(rule.beta2), rest(1 - rule.beta2), eps(rule.eps);
  Vec size(rate * rule.size);
  int64_t i = 0;
  auto block = [&](int64_t n) {
    Vec g = Vec::loadu(gradient + i, n), m = Vec::loadu(mean + i, n);
    m = at::vec::fmadd(first, g - m, m);
    Vec v = at::vec::fmadd(second, Vec::loadu(square + i, n), rest * g * g);
    (kept * Vec::loadu(weight + i, n) - size * m / (v.sqrt() + eps)).store(weight + i, n);
    m.store(mean + i, n);
    v.store(square + i, n);
  };
  for (; i + LANES <= numbers; i += LANES) block(LANES);
  if (i < numbers) block(numbers - i);
}

// One step of every model.  Returns 1, and does nothing, where a target is no class.
extern "C" int step(int64_t models, int64_t batch, int64_t depth, const int64_t* sizes, const float* x,
                    const int64_t* y, float* const* weights, float* const* biases, float* const* means,
                    float* const* squares, const float* rates, const float* decays, const Rule* rule, float* loss,
                    int64_t threads) {
  int64_t classes = sizes[depth], widest = *std::max_element(sizes, sizes + depth + 1), hidden = 0;
  for (int64_t l = 1; l <= depth; ++l) hidden += batch * sizes[l];
  for (int64_t n = 0; n < models * batch; ++n)
    if (y[n] < 0 || y[n] >= classes) return 1;
  Mode mode = processor_mode();
#pragma omp parallel num_threads(threads)
  {
    Mode before = processor_mode();
    set_processor_mode(mode);
    std::vector<float> left(hidden), one(batch * widest), other(batch * widest), square(widest * widest);
#pragma omp for schedule(static)
    for (int64_t r = 0; r < models; ++r) {
      const float *start = x + r * batch * sizes[0], *entered = start;
      float* out = left.data();
      for (int64_t l = 0; l < depth; ++l) {
        int64_t inputs = sizes[l], outputs = sizes[l + 1];
        product(batch, outputs, inputs, {entered, inputs, 1}, weights[l] + r * inputs * outputs,
                biases[l] + r * outputs, out);
        entered = out;
        if (l < depth - 1)
          fill(batch * outputs, out,
               [&](int64_t i, int64_t n) { return at::vec::maximum(Vec::loadu(entered + i, n), Vec(0.0f)); });
        out += batch * outputs;
      }
      float *g = one.data(), *next = other.data();
      loss[r] = cross_entropy(batch, classes, entered, y + r * batch, g);
      for (int64_t l = depth - 1; l >= 0; --l) {
        int64_t inputs = sizes[l], outputs = sizes[l + 1], first = r * inputs * outputs;
        entered = l ? entered - batch * inputs : start;
        float *weight = weights[l] + first, *bias = biases[l] + r * outputs;
        if (l) {
          transpose(inputs, outputs, weight, square.data());
          product(batch, inputs, outputs, {g, outputs, 1}, square.data(), nullptr, next);
        }
        product(inputs, outputs, batch, {entered, 1, inputs}, g, nullptr, square.data());
        update(inputs * outputs, square.data(), weight, means[l] + first, squares[l] + first, *rule, rates[r],
               decays[r]);
        fill(outputs, square.data(), [&](int64_t i, int64_t n) {
          Vec sum(0.0f);
          for (int64_t b = 0; b < batch; ++b) sum = sum + Vec::loadu(g + b * outputs + i, n);
          return sum;
        });
        update(outputs, square.data(), bias, means[depth + l] + r * outputs, squares[depth + l] + r * outputs, *rule,
               rates[r], 0);
        if (l)
          fill(batch * inputs, next, [&](int64_t i, int64_t n) {
            return Vec::blendv(Vec(0.0f), Vec::loadu(next + i, n), Vec::loadu(entered + i, n) > Vec(0.0f));
          });
        std::swap(g, next);
      }
    }
    set_processor_mode(before);
  }
  return 0;
}
"""


class _Rule(ctypes.Structure):
    _fields_ = (("beta1", ctypes.c_float), ("beta2", ctypes.c_float), ("size", ctypes.c_float), ("eps", ctypes.c_float))


class Training:
    """AdamW on ``losses.cross_entropy(model(x), targets)``, up to rounding what ``fit`` does with ``adamw.Rule``.

    model  a stack of perceptrons on the CPU, in float32, with ReLU between the layers
    lr     learning rate, one number or R of them
    decay  of weights, not of biases, likewise
    betas  of the two moments; ``eps`` is added to the root of the second

    It needs a C++ compiler, which runs once for each machine and takes some seconds.  A model's numbers depend neither
    on its company nor on the number of threads.  ``fit.drive`` makes it a training that records, reports and resumes::

        training = native_mlp.Training(model, lr=1e-3)
        drive(lambda step: training.step(*batch(step)), training, steps=1000)
    """

    def __init__(
        self,
        model: MLP,
        *,
        lr: float | Sequence[float],
        decay: float | Sequence[float] = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        layers = [layer for layer in model.layers if isinstance(layer, Linear)]
        biases = [layer.bias for layer in layers if layer.bias is not None]
        parameters = [*(layer.weight for layer in layers), *biases]
        if (
            len(biases) < len(model.layers)
            or model.activation is not F.relu
            or any(p.device.type != "cpu" or p.dtype != torch.float32 or not p.is_contiguous() for p in parameters)
        ):
            raise ValueError(
                "a native step takes perceptrons on the CPU, in float32, with biases and with ReLU between the layers; "
                "train others by fit()"
            )
        self.model, self.betas, self.eps, self.steps = model, betas, eps, 0
        self.models = len(parameters[0])
        self.sizes = [layers[0].weight.shape[1], *(layer.weight.shape[2] for layer in layers)]
        self.rates, self.decays = self._each("lr", lr), self._each("decay", decay)
        self.parameters = [parameter.detach() for parameter in parameters]
        self.means, self.squares = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))
        self._library = library()
        self._sizes = (ctypes.c_int64 * len(self.sizes))(*self.sizes)
        halves = self.parameters[: len(layers)], self.parameters[len(layers) :]
        self._places = [_addresses(tensors) for tensors in (*halves, self.means, self.squares)]

    def _each(self, name: str, values: float | Sequence[float]) -> Tensor:
        column = torch.as_tensor(values, dtype=torch.float32).flatten()
        if len(column) not in (1, self.models):
            raise ValueError(f"{name}= takes one number or {self.models}, one per model; got {len(column)}")
        return column.expand(self.models).contiguous()

    def step(self, x: Tensor, targets: Tensor, multiplier: float = 1.0) -> Tensor:
        """Update every model; returns the losses [R] before that.

        x           [R, B, I] float32
        targets     [R, B] int64, classes from 0
        multiplier  of all learning rates, in this step
        """
        models, inputs = self.models, self.sizes[0]
        if x.ndim != 3 or len(x) != models or x.shape[2] != inputs or targets.shape != x.shape[:2]:
            found = f"{tuple(x.shape)} and {tuple(targets.shape)}"
            raise ValueError(f"x is [{models}, B, {inputs}] and targets [{models}, B]; got {found}")
        if x.dtype != torch.float32 or targets.dtype != torch.int64:
            raise ValueError(f"x is float32 and targets int64; got {x.dtype} and {targets.dtype}")
        x, targets, loss = x.contiguous(), targets.contiguous(), torch.empty(models)
        (beta1, beta2), count = self.betas, self.steps + 1
        root = math.sqrt(1 - beta2**count)
        rates = self.rates if multiplier == 1 else self.rates * multiplier
        wrong = self._library.step(
            ctypes.c_int64(models),
            ctypes.c_int64(x.shape[1]),
            ctypes.c_int64(len(self.sizes) - 1),
            self._sizes,
            _address(x),
            _address(targets),
            *self._places,
            _address(rates),
            _address(self.decays),
            ctypes.byref(_Rule(beta1, beta2, root / (1 - beta1**count), self.eps * root)),
            _address(loss),
            ctypes.c_int64(torch.get_num_threads()),
        )
        if wrong:
            found = f"{int(targets.min())} to {int(targets.max())}"
            raise ValueError(f"targets are classes from 0 to {self.sizes[-1] - 1}; got {found}")
        self.steps = count
        return loss

    def state_dict(self) -> dict[str, Any]:
        moments = {f"moment.{number}": tensor for number, tensor in enumerate([*self.means, *self.squares])}
        return {"steps": self.steps, "model": self.model.state_dict(), **moments}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.steps = int(state_dict["steps"])
        self.model.load_state_dict(state_dict["model"])
        for number, tensor in enumerate([*self.means, *self.squares]):
            tensor.copy_(state_dict[f"moment.{number}"])


def _address(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _addresses(tensors: Sequence[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))


@functools.cache
def library() -> ctypes.CDLL:
    """What the compiler made of ``SOURCE``, with torch's own flags, vectors and threads."""
    from torch._inductor.codecache import CppCodeCache  # a second to import
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        return CppCodeCache.load(SOURCE)
    except InvalidCxxCompiler:
        raise RuntimeError(
            "a native step needs a C++ compiler, and none was found; install g++, name one in CXX, or train by fit()"
        ) from None
