// What hangs in a context: the weights, adapters and pool of one engine, and the batch that it computes.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace fourfold {

using at::Tensor;

struct Pair {        // one adapter in one group of linear layers that share their input
  Tensor down;       // packed blocks of ranks: ranks/32, inputs/2, 32, 2
  Tensor up;         // packed blocks of outputs: outputs/32, width/2, 32, 2, scaled
  Tensor begin;      // int32: the first rank that each block of outputs reads
  Tensor magnitude;  // fp32 of the outputs (DoRA), or empty
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
inline auto& contexts_lock = *new std::mutex;
inline auto& contexts = *new std::unordered_map<int64_t, std::shared_ptr<Context>>;
inline int64_t next_context = 1;

inline std::shared_ptr<Context> find(int64_t id) {
  std::lock_guard<std::mutex> held(contexts_lock);
  const auto found = contexts.find(id);
  TORCH_CHECK(found != contexts.end(), "no context ", id);
  return found->second;
}

inline int64_t create(int64_t groups, int64_t layers, int64_t page) {
  auto made = std::make_shared<Context>();
  made->groups.resize(groups);
  made->pools.resize(layers);
  made->page = page;
  std::lock_guard<std::mutex> held(contexts_lock);
  contexts[next_context] = made;
  return next_context++;
}

inline void destroy(int64_t id) {
  std::lock_guard<std::mutex> held(contexts_lock);
  contexts.erase(id);
}

inline void set_group(int64_t id, int64_t group, Tensor weight, Tensor scales, Tensor bias, int64_t inputs,
                      int64_t outputs) {
  auto& to = find(id)->groups.at(group);
  to.weight = weight, to.scales = scales, to.bias = bias, to.inputs = inputs, to.outputs = outputs;
}

inline void set_adapter(int64_t id, int64_t group, int64_t slot, Tensor down, Tensor up, Tensor begin, Tensor magnitude,
                        int64_t ranks, int64_t width) {
  auto& adapters = find(id)->groups.at(group).adapters;
  if (int64_t(adapters.size()) <= slot) adapters.resize(slot + 1);
  adapters[slot] = Pair{down, up, begin, magnitude, ranks, width};
}

inline void set_pool(int64_t id, int64_t layer, Tensor keys, Tensor values) {
  find(id)->pools.at(layer) = Pool{keys, values};
}

inline void set_batch(int64_t id, Tensor adapters, Tensor kept, Tensor sequences, Tensor positions, Tensor pages) {
  auto context = find(id);
  context->adapters = adapters, context->kept = kept;
  context->sequences = sequences, context->positions = positions, context->pages = pages;
}

template <class T>
inline const T* data(const Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.const_data_ptr());
}

}  // namespace fourfold
