// New tokens, each against its own sequence's pages of a shared key-value pool (softmax attention, grouped queries,
// sliding windows).
#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "context.h"
#include "vectors.h"
#include "workers.h"

namespace fourfold {

// exp(x) for x <= 0 to about 2 ulp of fp32: 2^n times a polynomial on [-ln2/2, ln2/2].
inline Floats exp16(Floats x) {
  const Floats least = splat(-87.0f);
  x = x > least ? x : least;
  const Floats scaled = x * 1.44269504f;
  using Ints = int32_t __attribute__((vector_size(64)));
  const Ints n = __builtin_convertvector(scaled - 0.5f, Ints);  // scaled <= 0, so this truncation rounds to nearest
  const Floats whole = __builtin_convertvector(n, Floats);
  const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Floats p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * r * r + r + 1.0f) * (Floats)((n + 127) << 23);
}

inline float total(Floats v) {
  using Eight = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
  const auto* parts = reinterpret_cast<const float*>(&v);
  const Eight eight = load<Eight>(parts) + load<Eight>(parts + 8);
  const auto* halves = reinterpret_cast<const float*>(&eight);
  const Four four = load<Four>(halves) + load<Four>(halves + 4);
  return (four[0] + four[1]) + (four[2] + four[3]);
}

// One key against one query of 16 * `vectors` numbers.
inline float dot(const float* key, const float* query, int64_t vectors) {
  Floats sum{};
  for (int64_t v = 0; v < vectors; ++v) sum += load<Floats>(key + v * LANES) * load<Floats>(query + v * LANES);
  return total(sum);
}
inline float dot(const uint16_t* key, const uint16_t* query, int64_t vectors) {
  Floats sum{};
  int64_t v = 0;
#ifdef FOURFOLD_DPBF16
  for (; v + 1 < vectors; v += 2)
    sum = (Floats)_mm512_dpbf16_ps((__m512)sum, load<__m512bh>(key + v * LANES), load<__m512bh>(query + v * LANES));
#endif
  for (; v < vectors; ++v) sum += widen16(key + v * LANES) * widen16(query + v * LANES);
  return total(sum);
}

#ifdef FOURFOLD_DPBF16
// 16 rows of 16 words -> 16 columns.
inline void transpose(__m512i (&r)[LANES]) {
  __m512i t[LANES];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)  // r[i + k], quarter q: column 4 q + k of the rows i to i + 3
    for (int k = 0; k < 2; ++k) {
      r[i + 2 * k] = _mm512_unpacklo_epi64(t[i + k], t[i + k + 2]);
      r[i + 2 * k + 1] = _mm512_unpackhi_epi64(t[i + k], t[i + k + 2]);
    }
  for (int k = 0; k < 4; ++k) {
    t[k] = _mm512_shuffle_i32x4(r[k], r[4 + k], 0x88);
    t[4 + k] = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0x88);
    t[8 + k] = _mm512_shuffle_i32x4(r[k], r[4 + k], 0xdd);
    t[12 + k] = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0xdd);
  }
  for (int k = 0; k < 4; ++k) {
    r[k] = _mm512_shuffle_i32x4(t[k], t[4 + k], 0x88);
    r[8 + k] = _mm512_shuffle_i32x4(t[k], t[4 + k], 0xdd);
    r[4 + k] = _mm512_shuffle_i32x4(t[8 + k], t[12 + k], 0x88);
    r[12 + k] = _mm512_shuffle_i32x4(t[8 + k], t[12 + k], 0xdd);
  }
}
#endif

constexpr int64_t MOST_WIDTH = 512;  // of a head
constexpr int64_t AHEAD = 8;         // tokens; their places are scattered, so that the processor cannot guess them

// scores[i * stride .. + 16) = 16 keys, which stand at `offsets`, against query i of `number`.
template <class X>
void score(const X* keys, const int64_t* offsets, const X* const* queries, int64_t number, int64_t width, float scaling,
           float* scores, int64_t stride) {
#ifdef FOURFOLD_DPBF16
  if constexpr (std::is_same_v<X, uint16_t>)
    if (width % (2 * LANES) == 0 && width <= MOST_WIDTH) {
      __m512i pairs[MOST_WIDTH / 2];  // pair by pair of a head's numbers, those of the 16 keys side by side
      for (int64_t block = 0; block < width / 2; block += LANES) {
        __m512i rows[LANES];
        for (int64_t t = 0; t < LANES; ++t) {
          rows[t] = load<__m512i>(keys + offsets[t] + 2 * block);
          __builtin_prefetch(keys + offsets[t + LANES] + 2 * block);
        }
        transpose(rows);
        for (int64_t t = 0; t < LANES; ++t) pairs[block + t] = rows[t];
      }
      for (int64_t i = 0; i < number; ++i) {
        __m512 even{}, odd{};  // two sums, since each product waits for the one before
        for (int64_t p = 0; p < width / 2; p += 2) {
          const auto one = (__m512bh)_mm512_set1_epi32(load<int32_t>(queries[i] + 2 * p));
          const auto two = (__m512bh)_mm512_set1_epi32(load<int32_t>(queries[i] + 2 * p + 2));
          even = _mm512_dpbf16_ps(even, (__m512bh)pairs[p], one);
          odd = _mm512_dpbf16_ps(odd, (__m512bh)pairs[p + 1], two);
        }
        const Floats sum = ((Floats)even + (Floats)odd) * scaling;
        std::memcpy(scores + i * stride, &sum, sizeof(sum));
      }
      return;
    }
#endif
  for (int64_t t = 0; t < LANES; ++t)
    for (int64_t i = 0; i < number; ++i)
      scores[i * stride + t] = dot(keys + offsets[t], queries[i], width / LANES) * scaling;
}

// Softmax of scores[0 .. count) in place, zeros from there to `end`; both and the room are multiples of 16 but count.
inline void softmax(float* scores, int64_t count, int64_t end) {
  const int64_t padded = (count + LANES - 1) / LANES * LANES;
  float most = scores[0];
  for (int64_t t = 1; t < count; ++t) most = std::max(most, scores[t]);
  Floats whole{};
  for (int64_t t = 0; t < padded; t += LANES) {
    Floats e = exp16(load<Floats>(scores + t) - most);
    if (t + LANES > count)
      for (int64_t i = count - t; i < LANES; ++i) e[i] = 0;
    whole += e;
    std::memcpy(scores + t, &e, sizeof(e));
  }
  const float over = 1.0f / total(whole);
  for (int64_t t = 0; t < count; ++t) scores[t] *= over;
  std::memset(scores + padded, 0, (end - padded) * sizeof(float));
}

// 16 * VECTORS numbers of the values, from `from` of a head, weighted for QUERIES queries at once.
template <int QUERIES, int VECTORS, class X>
void weigh(const X* values, const int64_t* offsets, int64_t count, const float* weights, int64_t stride, X* const* to,
           int64_t from) {
  Floats sum[QUERIES][VECTORS] = {};
  for (int64_t t = 0; t < count; ++t) {
    const X* value = values + offsets[t] + from;
    __builtin_prefetch(values + offsets[t + AHEAD] + from);
    for (int v = 0; v < VECTORS; ++v) {
      const Floats part = widen16(value + v * LANES);
      for (int i = 0; i < QUERIES; ++i) sum[i][v] += part * weights[i * stride + t];
    }
  }
  for (int i = 0; i < QUERIES; ++i)
    for (int v = 0; v < VECTORS; ++v) store(sum[i][v], to[i] + from + v * LANES);
}

template <int QUERIES, class X>
void weigh_all(const X* values, const int64_t* offsets, int64_t count, const float* weights, int64_t stride,
               X* const* to, int64_t width) {
  int64_t from = 0;
  for (; from + 4 * LANES <= width; from += 4 * LANES)
    weigh<QUERIES, 4>(values, offsets, count, weights, stride, to, from);
  for (; from < width; from += LANES) weigh<QUERIES, 1>(values, offsets, count, weights, stride, to, from);
}

// Where token `at` of a sequence stands in the pool, in numbers from its start, for one head.
struct Place {
  const int32_t* pages;
  int64_t page, heads, width;
  int64_t operator()(int64_t at, int64_t head) const {
    return ((int64_t(pages[at / page]) * page + at % page) * heads + head) * width;
  }
};

constexpr int64_t TOGETHER = 4;  // tokens of one sequence whose queries share what is read of a head

// `number` queries of one sequence that read one head: query i sees counts[i] tokens from `first` on.
template <class X>
void attend_head(const Place& place, const X* keys, const X* values, const X* const* queries, X* const* to,
                 const int64_t* counts, int64_t number, int64_t first, int64_t head, float scaling) {
  const int64_t longest = *std::max_element(counts, counts + number);
  const int64_t padded = (longest + LANES - 1) / LANES * LANES;
  static thread_local std::vector<float> scratch;
  static thread_local std::vector<int64_t> offsets;
  scratch.resize(number * padded);
  offsets.resize(padded + LANES);  // the last ones are looked at ahead, never used
  float* const scores = scratch.data();
  for (int64_t t = 0; t < padded + LANES; ++t) offsets[t] = place(first + std::min(t, longest - 1), head);
  for (int64_t t = 0; t < padded; t += LANES)
    score(keys, offsets.data() + t, queries, number, place.width, scaling, scores + t, padded);
  for (int64_t i = 0; i < number; ++i) softmax(scores + i * padded, counts[i], padded);
  const auto weigh_some = [&](auto weigh_queries, int64_t i) {
    weigh_queries(values, offsets.data(), longest, scores + i * padded, padded, to + i, place.width);
  };
  int64_t i = 0;
  for (; i + 3 <= number; i += 3) weigh_some(weigh_all<3, X>, i);
  for (; i < number; ++i) weigh_some(weigh_all<1, X>, i);
}

// Neighbouring tokens of one sequence; a window begins elsewhere for each.
struct Run {
  int64_t token, count;
};

inline std::vector<Run> runs(const int32_t* sequences, int64_t tokens, int64_t window) {
  std::vector<Run> found;
  for (int64_t token = 0; token < tokens; ++token) {
    const bool joins = !window && token && sequences[token] == sequences[token - 1] && found.back().count < TOGETHER;
    if (joins)
      ++found.back().count;
    else
      found.push_back({token, 1});
  }
  return found;
}

// q: tokens, query heads, width; k and v: tokens, heads, width.
template <class X>
void run_attend(const Context& context, const Pool& pool, const Tensor& q, const Tensor& k, const Tensor& v,
                Tensor& out, float scaling, int64_t window) {
  const int64_t tokens = q.size(0), heads = k.size(1), width = q.size(2), shared = q.size(1) / heads;
  X* const keys = reinterpret_cast<X*>(pool.keys.mutable_data_ptr());
  X* const values = reinterpret_cast<X*>(pool.values.mutable_data_ptr());
  X* const results = reinterpret_cast<X*>(out.mutable_data_ptr());
  const int32_t* positions = data<int32_t>(context.positions);
  const int32_t* sequences = data<int32_t>(context.sequences);
  const int32_t* pages = data<int32_t>(context.pages);
  const int64_t columns = context.pages.size(1);
  const auto place = [&](int64_t token) {
    return Place{pages + sequences[token] * columns, context.page, heads, width};
  };
  for (int64_t token = 0; token < tokens; ++token) {
    const int64_t slot = place(token)(positions[token], 0), size = heads * width;
    std::memcpy(keys + slot, data<X>(k) + token * size, size * sizeof(X));
    std::memcpy(values + slot, data<X>(v) + token * size, size * sizeof(X));
  }
  const std::vector<Run> together = runs(sequences, tokens, window);
  // Heads of one token lie side by side in the pool: one thread takes them all where there are tokens enough.
  const int64_t share = int64_t(together.size()) >= 2 * at::get_num_threads() ? heads : 1;
  parallel(int64_t(together.size()) * heads / share, [&](int64_t task) {
    for (int64_t one = task * share; one < (task + 1) * share; ++one) {
      const Run run = together[one / heads];
      const int64_t head = one % heads, number = run.count * shared;
      static thread_local std::vector<const X*> queries;
      static thread_local std::vector<X*> to;
      static thread_local std::vector<int64_t> counts;
      queries.resize(number), to.resize(number), counts.resize(number);
      const int64_t position = positions[run.token];
      const int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
      for (int64_t i = 0; i < number; ++i) {
        const int64_t at = ((run.token + i / shared) * heads * shared + head * shared + i % shared) * width;
        queries[i] = data<X>(q) + at, to[i] = results + at;
        counts[i] = positions[run.token + i / shared] + 1 - first;
      }
      attend_head(place(run.token), keys, values, queries.data(), to.data(), counts.data(), number, first, head,
                  scaling);
    }
  });
}

// query: 1, query heads, tokens, width; key and value: 1, heads, tokens, width -> 1, tokens, query heads, width.
// The tokens' keys and values are in the pool afterwards.
inline Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& id, int64_t layer,
              double scaling, int64_t window) {
  const auto context = find(*id.const_data_ptr<int64_t>());
  const Pool& pool = context->pools.at(layer);
  TORCH_CHECK(query.dim() == 4 && query.size(0) == 1 && query.size(3) % LANES == 0 &&
                  query.size(1) % key.size(1) == 0 && value.size(3) == query.size(3),
              "attend: shape not supported");
  const auto flat = [](const Tensor& t) { return t.squeeze(0).transpose(0, 1).contiguous(); };
  const Tensor q = flat(query), k = flat(key), v = flat(value);
  TORCH_CHECK(q.size(0) == context->positions.numel() && q.size(0) == context->sequences.numel(),
              "attend: the tokens are not the batch's");
  TORCH_CHECK(pool.keys.size(1) == k.size(1) && pool.keys.size(2) == k.size(2) && pool.values.size(2) == v.size(2) &&
                  pool.keys.scalar_type() == q.scalar_type(),
              "attend: the pool was made for another model");
  Tensor out = at::empty({1, q.size(0), q.size(1), q.size(2)}, q.options());
  if (q.scalar_type() == at::kBFloat16)
    run_attend<uint16_t>(*context, pool, q, k, v, out, scaling, window);
  else
    run_attend<float>(*context, pool, q, k, v, out, scaling, window);
  return out;
}
}  // namespace fourfold
