// tests/bench/bench_recovery.cpp: what a restart costs, without server and sockets.
//
// Works in a new directory under $TMPDIR, which it fills with tuples of 100 bytes, retiring
// segments as a server does.  `open` is RocksDB's part; `read` also reads and decodes every record;
// `restore` also makes the space of it; `decode` is the decoding alone, of records in memory. Items
// are tuples.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "space/core/space_state.h"
#include "space/storage/record_codec.h"
#include "space/storage/storage.h"

namespace {

using namespace linden;           // NOLINT(google-build-using-namespace)
using namespace linden::storage;  // NOLINT(google-build-using-namespace)

constexpr SpaceNumber kSpace{1};
constexpr std::size_t kPerCommit = 100;

class Live final : public LiveState {
 public:
  explicit Live(const core::SpaceState& state) : state_(state) {}
  bool describe(TupleId id, std::vector<core::Mutation>& out) const override {
    return state_.describe(id, out);
  }
  void describe_rest(std::vector<core::Mutation>& out) const override { state_.describe_rest(out); }

 private:
  const core::SpaceState& state_;
};

Tuple task(std::uint64_t number) {
  return Tuple{"task", static_cast<std::int64_t>(number), std::string(80, 'x')};
}

// A directory with `tuples` in it that goes when this does.
class Filled {
 public:
  explicit Filled(std::uint64_t tuples) {
    std::string name =
        (std::filesystem::temp_directory_path() / "linden-bench-recovery-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    fill(tuples);
  }
  ~Filled() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Filled(const Filled&) = delete;
  Filled& operator=(const Filled&) = delete;

  [[nodiscard]] std::unique_ptr<Storage> open() const {
    return open_rocksdb_storage(directory_).value_or_throw();
  }

 private:
  void fill(std::uint64_t tuples) const {
    const auto storage = open();
    storage->create_space("bench", Durability::kProcess, {}, Time{}).value_or_throw();
    core::SpaceState state;
    Batch batch;
    for (std::uint64_t id = 1; id <= tuples;) {
      batch.start(kSpace, Time{});
      for (std::size_t i = 0; i < kPerCommit; ++i, ++id) {
        core::TupleAdded added{TupleId{id}, task(id), {}};
        batch.add(added);
        state.restore(std::move(added));
      }
      storage->commit(batch).value_or_throw();
      if (storage->retirement_due(kSpace)) storage->retire(kSpace, Live(state)).value_or_throw();
    }
  }

  std::filesystem::path directory_;
};

const Filled& filled_with(std::int64_t tuples) {
  static std::map<std::int64_t, std::unique_ptr<Filled>> all;
  auto& one = all[tuples];
  if (!one) one = std::make_unique<Filled>(static_cast<std::uint64_t>(tuples));
  return *one;
}

void open(benchmark::State& state) {
  const Filled& filled = filled_with(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(filled.open());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void read(benchmark::State& state) {
  const Filled& filled = filled_with(state.range(0));
  for (auto _ : state) {
    const auto storage = filled.open();
    storage->load(kSpace, [](core::Mutation&& mutation) { benchmark::DoNotOptimize(mutation); })
        .value_or_throw();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void restore(benchmark::State& state) {
  const Filled& filled = filled_with(state.range(0));
  for (auto _ : state) {
    const auto storage = filled.open();
    core::SpaceState space;
    storage->load(kSpace, [&](core::Mutation&& mutation) { space.restore(std::move(mutation)); })
        .value_or_throw();
    space.restored(Time{});
    state.PauseTiming();
    space = core::SpaceState();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void decode(benchmark::State& state) {
  std::vector<std::string> records;
  for (std::int64_t id = 1; id <= state.range(0); ++id) {
    Batch batch;
    batch.start(kSpace, Time{});
    batch.add(core::TupleAdded{
        TupleId{static_cast<std::uint64_t>(id)}, task(static_cast<std::uint64_t>(id)), {}});
    records.emplace_back(batch.record());
  }
  for (auto _ : state) {
    for (const std::string& record : records) {
      (void)read_record(record, [](core::Mutation&& mutation) {
        benchmark::DoNotOptimize(mutation);
      }).value_or_throw();
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(decode)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(open)->Arg(1'000'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(read)->Arg(1'000'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(restore)->Arg(1'000'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
