// The two operators of a decoding step that torch has no fast kernel for, as torch operators of the library `fourfold`:
//
//   linear  y = magnitude * (W x + B (A x)) + bias, the low-rank pair (A, B) chosen by each token for itself
//   attend  new tokens, each against its own sequence's pages of a shared key-value pool
//
// What they read beside their inputs (weights, adapters, pool, the batch) hangs in a Context that Python fills, so that
// one compiled graph serves any weights of its shape and any set of adapters. Sums are fp32, and those of one token run
// in the same order whatever else is in the batch. The tiles use AVX512-BF16 where the processor has it and the
// compiler's portable vectors elsewhere.

#include <torch/csrc/inductor/aoti_runner/model_container_runner_cpu.h>
#include <torch/library.h>

#include "attend.h"
#include "linear.h"

namespace fourfold {

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

}  // namespace fourfold

namespace {

using namespace fourfold;

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
  m.def("attend(Tensor query, Tensor key, Tensor value, Tensor context, int layer, float scaling, int window) "
        "-> Tensor");
}

TORCH_LIBRARY_IMPL(fourfold, CPU, m) {
  m.impl("linear", linear);
  m.impl("attend", attend);
}

}  // namespace
