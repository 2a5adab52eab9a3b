// Threads for short loops. Not OpenMP's: its workers sleep at once when the process has more threads than cores, as an
// app has, and a step is some hundred short loops. Here a loop's pieces go to whoever is free, so that a worker which
// the system keeps from running delays nobody.
#pragma once

#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>

namespace fourfold {

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

inline auto& workers = *new Workers;

template <class F>
void parallel(int64_t count, F body) {
  workers.run(
      count, [](void* f, int64_t task) { (*static_cast<F*>(f))(task); }, &body);
}
}  // namespace fourfold
