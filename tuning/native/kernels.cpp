// The two operators of a decoding step that torch has no fast kernel for, as torch operators of the library `fourfold`:
//
//   linear  y = magnitude * (W x + B (A x)) + bias, the low-rank pair (A, B) chosen by each token for itself
//   attend  new tokens, each against its own sequence's pages of a shared key-value pool
//
// What they read beside their inputs (weights, adapters, pool, the batch) hangs in a Context that Python fills, so that
// one compiled graph serves any weights of its shape and any set of adapters. Sums are fp32, and those of one token run
// in the same order whatever else is in the batch. The tiles use AVX512-BF16 where the processor has it and the
// compiler's portable vectors elsewhere.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/inductor/aoti_runner/model_container_runner_cpu.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
#include <immintrin.h>
#define FOURFOLD_DPBF16 1
#endif

namespace {

using at::Tensor;
using Floats = float __attribute__((vector_size(64)));          // 16 of them
using Words = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));
using Shorts = int16_t __attribute__((vector_size(32)));

constexpr int64_t LANES = 16;
constexpr int64_t BLOCK = 32;  // outputs that a tile computes: two vectors
constexpr int MOST_ROWS = 8;   // rows of a tile: 8 x 2 accumulators and the weights fit 32 registers

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

inline Floats widen16(const float* from) { return load<Floats>(from); }
inline Floats widen16(const uint16_t* from) {
  return as_floats(__builtin_convertvector(load<Halves>(from), Words) << 16);
}

// ---- threads --------------------------------------------------------------------------------------------------------
// Not OpenMP's: its workers sleep at once when the process has more threads than cores, as an app has, and a step is
// some hundred short loops. Here a loop's pieces go to whoever is free, so that a worker which the system keeps from
// running delays nobody.

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Workers {
 public:
  using Body = void (*)(void*, int64_t);

  // Run body(argument, 0 .. count) on this thread and the workers; returns when all is done.
  void run(int64_t count, Body body, void* argument) {
    std::unique_lock<std::mutex> held(busy_, std::try_to_lock);
    if (!held || count < 2 || at::get_num_threads() < 2) {
      for (int64_t task = 0; task < count; ++task) body(argument, task);
      return;
    }
    hire(at::get_num_threads() - 1);
    body_ = body, argument_ = argument, count_ = count;
    next_.store(0);
    open_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    work();
    open_.store(false);
    while (inside_.load()) relax();  // their last pieces
  }

 private:
  static constexpr auto PATIENCE = std::chrono::microseconds(200);

  void work() {
    for (int64_t task; (task = next_.fetch_add(1)) < count_;) body_(argument_, task);
  }

  void hire(int wanted) {
    for (; hired_ < wanted; ++hired_) std::thread([this] { serve(); }).detach();
  }

  void serve() {
    for (uint64_t seen = 0;;) {
      const auto start = std::chrono::steady_clock::now();
      for (int turns = 0; epoch_.load() == seen; ++turns) {
        relax();
        if (turns % 64 == 63 && std::chrono::steady_clock::now() - start > PATIENCE) epoch_.wait(seen);
      }
      seen = epoch_.load();
      inside_.fetch_add(1);
      if (open_.load()) work();
      inside_.fetch_sub(1);
    }
  }

  std::mutex busy_;
  alignas(64) std::atomic<uint64_t> epoch_{0};
  std::atomic<bool> open_{false};
  alignas(64) std::atomic<int> inside_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  Body body_ = nullptr;
  void* argument_ = nullptr;
  int64_t count_ = 0;
  int hired_ = 0;
};

auto& workers = *new Workers;

template <class F>
void parallel(int64_t count, F body) {
  workers.run(
      count, [](void* f, int64_t task) { (*static_cast<F*>(f))(task); }, &body);
}

// ---- tiles: acc[m] += x[m] (K) * w (a packed block of K x 32 weights), K counted in pairs ---------------------------
// A block is packed pair by pair: for each pair of inputs, 32 outputs x 2 inputs.

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
    default: return tile<8>(w, x, pairs, acc);
  }
}

// ---- what hangs in a context ----------------------------------------------------------------------------------------

struct Pair {               // one adapter in one group of linear layers that share their input
  Tensor down;              // packed blocks of ranks: ranks/32, inputs/2, 32, 2
  Tensor up;                // packed blocks of outputs: outputs/32, width/2, 32, 2, scaled
  Tensor begin;             // int32: the first rank that each block of outputs reads
  Tensor magnitude;         // fp32 of the outputs (DoRA), or empty
  int64_t ranks = 0, width = 0;
};

struct Group {
  Tensor weight, scales, bias;  // packed blocks; fp32 a output or empty; fp32 a output or empty
  int64_t inputs = 0, outputs = 0;
  std::vector<Pair> adapters;  // by slot; one that leaves this group alone has no ranks and no magnitude
};

struct Pool {
  Tensor keys, values;  // tokens, heads, width
};

struct Context {
  std::vector<Group> groups;
  std::vector<Pool> pools;
  // int32, of the batch: each token's adapter (-1: none), the same for the tokens whose logits are wanted, each token's
  // sequence and its position therein, and sequences x pages.
  Tensor adapters, kept, sequences, positions, pages;
  int64_t page = 16;  // tokens
};

// Never destroyed: at the process's end the order in which libraries go is not ours.
auto& contexts_lock = *new std::mutex;
auto& contexts = *new std::unordered_map<int64_t, std::shared_ptr<Context>>;
int64_t next_context = 1;

std::shared_ptr<Context> find(int64_t id) {
  std::lock_guard<std::mutex> held(contexts_lock);
  const auto found = contexts.find(id);
  TORCH_CHECK(found != contexts.end(), "no context ", id);
  return found->second;
}

int64_t create(int64_t groups, int64_t layers, int64_t page) {
  auto made = std::make_shared<Context>();
  made->groups.resize(groups);
  made->pools.resize(layers);
  made->page = page;
  std::lock_guard<std::mutex> held(contexts_lock);
  contexts[next_context] = made;
  return next_context++;
}

void destroy(int64_t id) {
  std::lock_guard<std::mutex> held(contexts_lock);
  contexts.erase(id);
}

void set_group(int64_t id, int64_t group, Tensor weight, Tensor scales, Tensor bias, int64_t inputs, int64_t outputs) {
  auto& to = find(id)->groups.at(group);
  to.weight = weight, to.scales = scales, to.bias = bias, to.inputs = inputs, to.outputs = outputs;
}

void set_adapter(int64_t id, int64_t group, int64_t slot, Tensor down, Tensor up, Tensor begin, Tensor magnitude,
                 int64_t ranks, int64_t width) {
  auto& adapters = find(id)->groups.at(group).adapters;
  if (int64_t(adapters.size()) <= slot) adapters.resize(slot + 1);
  adapters[slot] = Pair{down, up, begin, magnitude, ranks, width};
}

void set_pool(int64_t id, int64_t layer, Tensor keys, Tensor values) {
  find(id)->pools.at(layer) = Pool{keys, values};
}

void set_batch(int64_t id, Tensor adapters, Tensor kept, Tensor sequences, Tensor positions, Tensor pages) {
  auto context = find(id);
  context->adapters = adapters, context->kept = kept;
  context->sequences = sequences, context->positions = positions, context->pages = pages;
}

// ---- linear ---------------------------------------------------------------------------------------------------------

int64_t blocks_of(int64_t outputs) { return (outputs + BLOCK - 1) / BLOCK; }

template <class T>
const T* data(const Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.const_data_ptr());
}

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
  // Ranks that a block of outputs reads may run past an adapter's last one: into zeros, never into another row's numbers,
  // which may be none.
  const int64_t rank_blocks = blocks_of(most), stride = rank_blocks * BLOCK + widest;
  static thread_local std::vector<X> low;
  low.assign(rows * stride, X{});
  X* const ranks = low.data();
  const float* scales = group.scales.numel() ? data<float>(group.scales) : nullptr;
  const float* bias = group.bias.numel() ? data<float>(group.bias) : nullptr;
  const W* weight = data<W>(group.weight);

  if (most)
    parallel(rank_blocks, [&](int64_t block) {
      for (int64_t m = 0, count; m < rows; m += count) {  // neighbouring rows of one adapter share a tile
        const Pair* pair = pairs[m];
        count = 1;
        while (m + count < rows && count < MOST_ROWS && pairs[m + count] == pair) ++count;
        if (!pair || block * BLOCK >= pair->ranks) continue;
        const X* from[MOST_ROWS];
        for (int i = 0; i < count; ++i) from[i] = x + (m + i) * inputs;
        Floats acc[MOST_ROWS][2] = {};
        any_tile(count, data<X>(pair->down) + block * inputs * BLOCK, from, inputs / 2, acc);
        for (int i = 0; i < count; ++i)
          for (int64_t r = 0; r < BLOCK; ++r)
            narrow(acc[i][r / LANES][r % LANES], ranks + (m + i) * stride + block * BLOCK + r);
      }
    });
  parallel(blocks, [&](int64_t block) {
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
          for (int64_t n = 0; n < width; ++n) narrow(acc[i][n / LANES][n % LANES], to + n);
        }
      }
  });
}

Tensor linear(const Tensor& given, const Tensor& id, int64_t number, int64_t outputs) {
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

// ---- attend ---------------------------------------------------------------------------------------------------------

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

// sum[0 .. 16 * VECTORS) = the values of `count` tokens, weighted; `at(t)` is where those of token t stand.
template <int VECTORS, class X, class At>
inline void weigh(const float* weights, int64_t count, const At& at, X* to) {
  Floats sum[VECTORS] = {};
  for (int64_t t = 0; t < count; ++t) {
    const X* value = at(t);
    for (int v = 0; v < VECTORS; ++v) sum[v] += widen16(value + v * LANES) * weights[t];
  }
  for (int v = 0; v < VECTORS; ++v)
    for (int64_t i = 0; i < LANES; ++i) narrow(sum[v][i], to + v * LANES + i);
}

// Softmax of scores[0 .. count) in place; there is room up to the next multiple of 16.
inline void softmax(float* scores, int64_t count) {
  const int64_t padded = (count + LANES - 1) / LANES * LANES;
  float most = scores[0];
  for (int64_t t = 1; t < count; ++t) most = std::max(most, scores[t]);
  for (int64_t t = count; t < padded; ++t) scores[t] = -INFINITY;
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
}

// Where token `at` of a sequence stands in the pool, in numbers from its start, for one head.
struct Place {
  const int32_t* pages;
  int64_t page, heads, width;
  int64_t operator()(int64_t at, int64_t head) const {
    return ((int64_t(pages[at / page]) * page + at % page) * heads + head) * width;
  }
};

// The `shared` queries of one token that read one head of the keys and values.
template <class X>
void attend_head(const Place& place, const X* keys, const X* values, const X* queries, X* to, int64_t position,
                 int64_t head, int64_t shared, float scaling, int64_t window) {
  const int64_t width = place.width, vectors = width / LANES;
  const int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
  const int64_t count = position + 1 - first, padded = (count + LANES - 1) / LANES * LANES;

  static thread_local std::vector<float> scratch;
  static thread_local std::vector<int64_t> offsets;
  scratch.resize(shared * padded);
  offsets.resize(count);
  for (int64_t t = 0; t < count; ++t) offsets[t] = place(first + t, head);
  float* const scores = scratch.data();
  for (int64_t t = 0; t < count; ++t)
    for (int64_t g = 0; g < shared; ++g)
      scores[g * padded + t] = dot(keys + offsets[t], queries + g * width, vectors) * scaling;
  for (int64_t g = 0; g < shared; ++g) {
    softmax(scores + g * padded, count);
    int64_t v = 0;
    const auto at = [&](int64_t t) { return values + offsets[t] + v * LANES; };
    for (; v + 4 <= vectors; v += 4) weigh<4>(scores + g * padded, count, at, to + g * width + v * LANES);
    for (; v < vectors; ++v) weigh<1>(scores + g * padded, count, at, to + g * width + v * LANES);
  }
}

// q: tokens, query heads, width; k and v: tokens, heads, width.
template <class X>
void run_attend(const Context& context, const Pool& pool, const Tensor& q, const Tensor& k, const Tensor& v,
                Tensor& out, float scaling, int64_t window) {
  const int64_t tokens = q.size(0), queries = q.size(1), heads = k.size(1), width = q.size(2);
  const int64_t shared = queries / heads, columns = context.pages.size(1);
  X* const keys = reinterpret_cast<X*>(pool.keys.mutable_data_ptr());
  X* const values = reinterpret_cast<X*>(pool.values.mutable_data_ptr());
  X* const results = reinterpret_cast<X*>(out.mutable_data_ptr());
  const int32_t* positions = data<int32_t>(context.positions);
  const int32_t* sequences = data<int32_t>(context.sequences);
  const int32_t* pages = data<int32_t>(context.pages);
  const auto place = [&](int64_t token) {
    return Place{pages + sequences[token] * columns, context.page, heads, width};
  };
  for (int64_t token = 0; token < tokens; ++token) {
    const int64_t slot = place(token)(positions[token], 0), size = heads * width;
    std::memcpy(keys + slot, data<X>(k) + token * size, size * sizeof(X));
    std::memcpy(values + slot, data<X>(v) + token * size, size * sizeof(X));
  }
  // Heads of one token lie side by side in the pool: one thread takes them all where there are tokens enough.
  const int64_t together = tokens >= 2 * at::get_num_threads() ? heads : 1;
  parallel(tokens * heads / together, [&](int64_t task) {
    for (int64_t one = task * together; one < (task + 1) * together; ++one) {
      const int64_t token = one / heads, head = one % heads, at = (token * queries + head * shared) * width;
      attend_head(place(token), keys, values, data<X>(q) + at, results + at, positions[token], head, shared, scaling,
                  window);
    }
  });
}

// query: 1, query heads, tokens, width; key and value: 1, heads, tokens, width -> 1, tokens, query heads, width.
// The tokens' keys and values are in the pool afterwards.
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& id, int64_t layer,
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

// ---- compiled graphs ------------------------------------------------------------------------------------------------
// Torch's own Python binding holds the interpreter's lock while a graph runs; an operator does not.

using Runner = torch::inductor::AOTIModelContainerRunnerCpu;
auto& graphs = *new std::unordered_map<int64_t, std::shared_ptr<Runner>>;

int64_t load_graph(const std::string& path) {
  auto runner = std::make_shared<Runner>(path);
  std::lock_guard<std::mutex> held(contexts_lock);
  graphs[next_context] = std::move(runner);
  return next_context++;
}

void drop_graph(int64_t id) {
  std::lock_guard<std::mutex> held(contexts_lock);
  graphs.erase(id);
}

Tensor run_graph(int64_t id, std::vector<Tensor> inputs) {
  std::shared_ptr<Runner> runner;
  {
    std::lock_guard<std::mutex> held(contexts_lock);
    runner = graphs.at(id);
  }
  return runner->run(inputs).at(0);
}

}  // namespace

TORCH_LIBRARY(fourfold, m) {
  m.def("create(int groups, int layers, int page) -> int", create);
  m.def("destroy(int context) -> ()", destroy);
  m.def("set_group(int context, int group, Tensor weight, Tensor scales, Tensor bias, int inputs, int outputs) -> ()",
        set_group);
  m.def("set_adapter(int context, int group, int slot, Tensor down, Tensor up, Tensor begin, Tensor magnitude, "
        "int ranks, int width) -> ()", set_adapter);
  m.def("set_pool(int context, int layer, Tensor keys, Tensor values) -> ()", set_pool);
  m.def("set_batch(int context, Tensor adapters, Tensor kept, Tensor sequences, Tensor positions, Tensor pages) -> ()",
        set_batch);
  m.def("load_graph(str path) -> int", load_graph);
  m.def("drop_graph(int graph) -> ()", drop_graph);
  m.def("run_graph(int graph, Tensor[] inputs) -> Tensor", run_graph);
  m.def("linear(Tensor x, Tensor context, int group, int outputs) -> Tensor");
  m.def("attend(Tensor query, Tensor key, Tensor value, Tensor context, int layer, float scaling, int window) -> Tensor");
}

TORCH_LIBRARY_IMPL(fourfold, CPU, m) {
  m.impl("linear", linear);
  m.impl("attend", attend);
}
