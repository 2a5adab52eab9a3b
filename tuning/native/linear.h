// y = magnitude * (W x + B (A x)) + bias, the low-rank pair (A, B) chosen by each token for itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "context.h"
#include "tiles.h"
#include "workers.h"

namespace fourfold {

inline int64_t blocks_of(int64_t outputs) { return (outputs + BLOCK - 1) / BLOCK; }

template <class W, class X>
void run_linear(const int32_t* chosen, const Group& group, const X* x, X* y, int64_t rows) {
  const int64_t inputs = group.inputs, outputs = group.outputs, blocks = blocks_of(outputs);
  std::vector<const Pair*> pairs(rows, nullptr);
  int64_t most = 0, widest = 0;
  for (int64_t m = 0; m < rows; ++m)
    if (chosen[m] >= 0 && chosen[m] < int64_t(group.adapters.size())) {
      pairs[m] = &group.adapters[chosen[m]];
      most = std::max(most, pairs[m]->ranks);
      widest = std::max(widest, pairs[m]->width);
    }
  // Ranks that a block of outputs reads may run past an adapter's last one: into zeros, never into another row's
  // numbers, which may be none.
  const int64_t rank_blocks = blocks_of(most), stride = rank_blocks * BLOCK + widest;
  static thread_local std::vector<X> low;
  low.assign(rows * stride, X{});
  X* const ranks = low.data();
  const float* scales = group.scales.numel() ? data<float>(group.scales) : nullptr;
  const float* bias = group.bias.numel() ? data<float>(group.bias) : nullptr;
  const W* weight = data<W>(group.weight);

  // A block of ranks of all rows that have some; neighbouring rows of one adapter share a tile.
  const auto compute_ranks = [&](int64_t block) {
    for (int64_t m = 0, count; m < rows; m += count) {
      const Pair* pair = pairs[m];
      count = 1;
      while (m + count < rows && count < MOST_ROWS && pairs[m + count] == pair) ++count;
      if (!pair || block * BLOCK >= pair->ranks) continue;
      const X* from[MOST_ROWS];
      for (int i = 0; i < count; ++i) from[i] = x + (m + i) * inputs;
      Floats acc[MOST_ROWS][2] = {};
      any_tile(count, data<X>(pair->down) + block * inputs * BLOCK, from, inputs / 2, acc);
      for (int i = 0; i < count; ++i)
        for (int h = 0; h < 2; ++h) store(acc[i][h], ranks + (m + i) * stride + block * BLOCK + h * LANES);
    }
  };
  // The ranks are the first pieces of the same loop: who comes to need them waits a moment at most.
  std::atomic<int64_t> ready{0};
  parallel(rank_blocks + blocks, [&](int64_t task) {
    if (task < rank_blocks) {
      compute_ranks(task);
      ready.fetch_add(1);
      return;
    }
    const int64_t block = task - rank_blocks;
    const int64_t first = block * BLOCK, width = std::min(BLOCK, outputs - first);
    for (int64_t start = 0; start < rows; start += MOST_ROWS) {
      const int count = int(std::min<int64_t>(MOST_ROWS, rows - start));
      const X* from[MOST_ROWS];
      for (int i = 0; i < count; ++i) from[i] = x + (start + i) * inputs;
      Floats acc[MOST_ROWS][2] = {};
      any_tile(count, weight + block * inputs * BLOCK, from, inputs / 2, acc);
      if (scales)
        for (int i = 0; i < count; ++i)
          for (int h = 0; h < 2; ++h) acc[i][h] *= load<Floats>(scales + first + h * LANES);
      for (int i = 0; i < count;) {
        const Pair* pair = pairs[start + i];
        int alike = 1;
        while (i + alike < count && pairs[start + i + alike] == pair) ++alike;
        if (pair && pair->ranks) {
          while (ready.load() < rank_blocks) relax();
          const int64_t begin = data<int32_t>(pair->begin)[block];
          const X* lows[MOST_ROWS];
          for (int j = 0; j < alike; ++j) lows[j] = ranks + (start + i + j) * stride + begin;
          any_tile(alike, data<X>(pair->up) + block * pair->width * BLOCK, lows, pair->width / 2, acc + i);
        }
        if (pair && pair->magnitude.numel())
          for (int j = 0; j < alike; ++j)
            for (int h = 0; h < 2; ++h)
              acc[i + j][h] *= load<Floats>(data<float>(pair->magnitude) + first + h * LANES);
        i += alike;
      }
      for (int i = 0; i < count; ++i) {
        if (bias)
          for (int h = 0; h < 2; ++h) acc[i][h] += load<Floats>(bias + first + h * LANES);
        X* to = y + (start + i) * outputs + first;
        for (int h = 0; h < 2 && h * LANES < width; ++h)
          store(acc[i][h], to + h * LANES, std::min(LANES, width - h * LANES));
      }
    }
  });
}

inline Tensor linear(const Tensor& given, const Tensor& id, int64_t number, int64_t outputs) {
  const auto context = find(*id.const_data_ptr<int64_t>());
  const Group& group = context->groups.at(number);
  const Tensor x = given.contiguous();
  TORCH_CHECK(x.size(-1) == group.inputs && outputs == group.outputs, "linear ", number, " was set for another shape");
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  Tensor y = at::empty(shape, x.options());
  const int64_t rows = x.numel() / group.inputs;
  // Every layer sees all tokens but the last, which may see the kept ones alone; where all are kept, both are the same.
  const Tensor& choice = rows == context->adapters.numel() ? context->adapters : context->kept;
  TORCH_CHECK(rows == choice.numel(), "linear ", number, ": ", rows, " tokens are not the batch's");
  const auto* chosen = data<int32_t>(choice);
  const bool half = x.scalar_type() == at::kBFloat16, packed8 = group.weight.scalar_type() == at::kChar;
  if (half) {
    const auto* from = data<uint16_t>(x);
    auto* to = reinterpret_cast<uint16_t*>(y.mutable_data_ptr());
    packed8 ? run_linear<int8_t>(chosen, group, from, to, rows)
            : run_linear<uint16_t>(chosen, group, from, to, rows);
  } else {
    TORCH_CHECK(x.scalar_type() == at::kFloat, "linear takes bf16 and fp32");
    const auto* from = data<float>(x);
    auto* to = y.mutable_data_ptr<float>();
    packed8 ? run_linear<int8_t>(chosen, group, from, to, rows)
            : run_linear<float>(chosen, group, from, to, rows);
  }
  return y;
}
}  // namespace fourfold
