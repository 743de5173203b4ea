// tests/bench/bench_commit.cpp: what a commit costs, without server and sockets.
//
// Works in a new directory under $TMPDIR.  Items are mutations.  A cycle is what a farm does with a
// task: put, taken under a lease, finished; its three mutations go into one batch.  Segments retire
// as in a server.  `process` and `sync` are durabilities (P31); `encode` stops short of the disk.
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "space/storage/storage.h"

namespace {

using namespace linden;           // NOLINT(google-build-using-namespace)
using namespace linden::storage;  // NOLINT(google-build-using-namespace)

// Nothing lives long enough to reach the table.
class NothingLives final : public LiveState {
 public:
  bool describe(TupleId, std::vector<core::Mutation>&) const override { return false; }
  void describe_rest(std::vector<core::Mutation>&) const override {}
};

// A storage in a directory that goes when it does.
class Workshop {
 public:
  Workshop() {
    std::string name =
        (std::filesystem::temp_directory_path() / "linden-bench-commit-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    storage_ = open_rocksdb_storage(directory_).value_or_throw();
  }
  ~Workshop() {
    storage_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  [[nodiscard]] Storage& storage() { return *storage_; }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<Storage> storage_;
};

void add_cycle(Batch& batch, const Tuple& task, TupleId id) {
  batch.add(core::TupleAdded{id, task, {}});
  batch.add(core::TupleReserved{id, 1, {SessionId{1, 2}, RequestId{id.value}}, Duration(30)});
  batch.add(core::TupleRemoved{id});
}

void commit(benchmark::State& state, Durability durability) {
  Workshop workshop;
  Storage& storage = workshop.storage();
  const SpaceNumber space =
      storage.create_space("jobs", durability, {}, Time{}).value_or_throw().number;
  const Tuple task{"task", "any", 17, "a specification of some sixty bytes, as small tasks have"};
  const NothingLives live;
  const std::int64_t cycles = state.range(0) / 3;
  Batch batch;
  TupleId id;
  for (auto _ : state) {
    batch.start(space, Time(Duration(static_cast<std::int64_t>(id.value))));
    for (std::int64_t cycle = 0; cycle < cycles; ++cycle) {
      ++id.value;
      add_cycle(batch, task, id);
    }
    storage.commit(batch).value_or_throw();
    if (storage.retirement_due(space)) storage.retire(space, live).value_or_throw();
  }
  state.SetItemsProcessed(state.iterations() * cycles * 3);
}

void commit_encode(benchmark::State& state) {
  commit(state, Durability::kMemory);
}
void commit_process(benchmark::State& state) {
  commit(state, Durability::kProcess);
}
void commit_sync(benchmark::State& state) {
  commit(state, Durability::kSync);
}

// Real time, because a sync waits.
BENCHMARK(commit_encode)->Arg(99)->UseRealTime();
BENCHMARK(commit_process)->Arg(3)->Arg(99)->Arg(999)->UseRealTime();
BENCHMARK(commit_sync)->Arg(3)->Arg(99)->Arg(999)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
