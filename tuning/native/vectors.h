// Sixteen numbers at a time, in the compiler's portable vectors; bf16 as its upper half of fp32.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
#include <immintrin.h>
#define FOURFOLD_DPBF16 1
#endif

namespace fourfold {

using Floats = float __attribute__((vector_size(64)));          // 16 of them
using Words = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));
using Shorts = int16_t __attribute__((vector_size(32)));

constexpr int64_t LANES = 16;
constexpr int64_t BLOCK = 32;  // outputs that a tile computes: two vectors
constexpr int MOST_ROWS = 12;  // rows of a tile: 12 x 2 accumulators and the weights fit 32 registers

template <class V, class T>
inline V load(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof(V));
  return v;
}

inline Floats splat(float x) { return Floats{} + x; }
inline Floats as_floats(Words w) { return (Floats)w; }

inline float widen(uint16_t bf16) {
  uint32_t bits = uint32_t(bf16) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}
inline float widen(float f) { return f; }

inline void narrow(float f, float* to) { *to = f; }
inline void narrow(float f, uint16_t* to) {  // to the nearest, ties to even; what is not a number stays so
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  *to = f != f ? 0x7fc0 : uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// The first `count` of 16 numbers.
inline void store(Floats v, float* to, int64_t count = LANES) { std::memcpy(to, &v, count * sizeof(float)); }
inline void store(Floats v, uint16_t* to, int64_t count = LANES) {
#ifdef FOURFOLD_DPBF16
  const auto rounded = (__m256i)_mm512_cvtneps_pbh((__m512)v);
  if (count == LANES)
    std::memcpy(to, &rounded, sizeof(rounded));
  else
    std::memcpy(to, &rounded, count * sizeof(uint16_t));
#else
  for (int64_t i = 0; i < count; ++i) narrow(v[i], to + i);
#endif
}

inline Floats widen16(const float* from) { return load<Floats>(from); }
inline Floats widen16(const uint16_t* from) {
  return as_floats(__builtin_convertvector(load<Halves>(from), Words) << 16);
}
}  // namespace fourfold
