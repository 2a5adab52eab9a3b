// acc[m] += x[m] (K) * w (a packed block of K x 32 weights), K counted in pairs.
// A block is packed pair by pair: for each pair of inputs, 32 outputs x 2 inputs.
#pragma once

#include <type_traits>

#include "vectors.h"

namespace fourfold {

template <int ROWS>
void tile(const uint16_t* w, const uint16_t* const* x, int64_t pairs, Floats (*acc)[2]) {
  Floats sum[ROWS][2] = {};
  for (int64_t p = 0; p < pairs; ++p, w += 2 * BLOCK) {
#ifdef FOURFOLD_DPBF16
    const auto low = load<__m512bh>(w), high = load<__m512bh>(w + BLOCK);
    for (int m = 0; m < ROWS; ++m) {
      const auto both = (__m512bh)_mm512_set1_epi32(load<int32_t>(x[m] + 2 * p));
      sum[m][0] = (Floats)_mm512_dpbf16_ps((__m512)sum[m][0], low, both);
      sum[m][1] = (Floats)_mm512_dpbf16_ps((__m512)sum[m][1], high, both);
    }
#else
    for (int half = 0; half < 2; ++half) {
      const auto words = load<Words>(w + half * BLOCK);
      const Floats first = as_floats(words << 16), second = as_floats(words & 0xffff0000u);
      for (int m = 0; m < ROWS; ++m) sum[m][half] += first * widen(x[m][2 * p]) + second * widen(x[m][2 * p + 1]);
    }
#endif
  }
  for (int m = 0; m < ROWS; ++m) acc[m][0] += sum[m][0], acc[m][1] += sum[m][1];
}

template <int ROWS, class X>
void tile(const int8_t* w, const X* const* x, int64_t pairs, Floats (*acc)[2]) {
  Floats sum[ROWS][2] = {};
  for (int64_t p = 0; p < pairs; ++p, w += 2 * BLOCK) {
#ifdef FOURFOLD_DPBF16
    if constexpr (std::is_same_v<X, uint16_t>) {
      __m512bh parts[2];
      for (int half = 0; half < 2; ++half) {  // an integer of 8 bits is exact in bf16
        const auto* from = reinterpret_cast<const __m128i*>(w + half * BLOCK);
        const auto low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from)));
        const auto high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from + 1)));
        parts[half] = _mm512_cvtne2ps_pbh(high, low);
      }
      for (int m = 0; m < ROWS; ++m) {
        const auto both = (__m512bh)_mm512_set1_epi32(load<int32_t>(x[m] + 2 * p));
        sum[m][0] = (Floats)_mm512_dpbf16_ps((__m512)sum[m][0], parts[0], both);
        sum[m][1] = (Floats)_mm512_dpbf16_ps((__m512)sum[m][1], parts[1], both);
      }
      continue;
    }
#endif
    for (int half = 0; half < 2; ++half) {
      const auto couples = load<Shorts>(w + half * BLOCK);
      const Floats first = __builtin_convertvector((Shorts)(couples << 8) >> 8, Floats);
      const Floats second = __builtin_convertvector(couples >> 8, Floats);
      for (int m = 0; m < ROWS; ++m) sum[m][half] += first * widen(x[m][2 * p]) + second * widen(x[m][2 * p + 1]);
    }
  }
  for (int m = 0; m < ROWS; ++m) acc[m][0] += sum[m][0], acc[m][1] += sum[m][1];
}

template <int ROWS>
void tile(const float* w, const float* const* x, int64_t pairs, Floats (*acc)[2]) {
  // Interleaved pairs would cost a shuffle here, so that fp32 is packed input by input: K x 32.
  Floats sum[ROWS][2] = {};
  for (int64_t k = 0; k < 2 * pairs; ++k, w += BLOCK) {
    const Floats low = load<Floats>(w), high = load<Floats>(w + LANES);
    for (int m = 0; m < ROWS; ++m) {
      const Floats one = splat(x[m][k]);
      sum[m][0] += low * one;
      sum[m][1] += high * one;
    }
  }
  for (int m = 0; m < ROWS; ++m) acc[m][0] += sum[m][0], acc[m][1] += sum[m][1];
}

template <class W, class X>
void any_tile(int rows, const W* w, const X* const* x, int64_t pairs, Floats (*acc)[2]) {
  switch (rows) {
    case 1: return tile<1>(w, x, pairs, acc);
    case 2: return tile<2>(w, x, pairs, acc);
    case 3: return tile<3>(w, x, pairs, acc);
    case 4: return tile<4>(w, x, pairs, acc);
    case 5: return tile<5>(w, x, pairs, acc);
    case 6: return tile<6>(w, x, pairs, acc);
    case 7: return tile<7>(w, x, pairs, acc);
    case 8: return tile<8>(w, x, pairs, acc);
    case 9: return tile<9>(w, x, pairs, acc);
    case 10: return tile<10>(w, x, pairs, acc);
    case 11: return tile<11>(w, x, pairs, acc);
    default: return tile<12>(w, x, pairs, acc);
  }
}
}  // namespace fourfold
