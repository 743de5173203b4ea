// tests/space/storage/test_growth.cpp: what came and went leaves nothing behind, on disk or for a
// restart to read.
//
// LINDEN_GROWTH_CYCLES=50000000 runs the long form: so many tuples are put and taken, with the
// segments that a server has, and the directory must stay below 1 GiB.
#include <cstdlib>
#include <deque>
#include <iostream>

#include <gtest/gtest.h>

#include "scratch.h"
#include "space/core/space_state.h"
#include "space/storage/storage.h"

namespace linden::storage {
namespace {

constexpr SpaceNumber kSpace{1};
constexpr SessionId kClient{1, 1};
constexpr std::uint64_t kBatch = 100;      // puts and takes of one commit
constexpr std::uint64_t kBacklog = 1'000;  // tuples that wait in the space

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

std::uintmax_t bytes_in(const std::filesystem::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    std::error_code gone;  // files come and go in the background
    const std::uintmax_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

// A space and its client: tuples are put and, a thousand later, reserved and finished.
class Queue {
 public:
  Queue(const std::filesystem::path& directory, const RocksdbOptions& options)
      : storage_(open_rocksdb_storage(directory, options).value_or_throw()) {
    storage_->create_space("queue", Durability::kProcess, {}, now_).value_or_throw();
    apply(core::SessionAttached{kClient, "client", kForever, kForever, RequestId{1}});
  }

  void cycle() {
    PutOp put;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      put.tuples.push_back(
          {Tuple{"task", 17, "a body of some fifty bytes, as small tasks have"}, {}});
    }
    ask(std::move(put));
    waiting_ += kBatch;
    if (waiting_ > kBacklog) take_a_batch();
    // What was answered has arrived.
    apply(core::SessionHeard{kClient, RequestId{next_.value}});
    commit();
  }

 private:
  void take_a_batch() {
    TakeOp take;
    take.mode = TakeMode::kReserve;
    take.templates = {Template{"task", kInt, kText}};
    take.count_max = kBatch;
    ask(std::move(take));
    FinishOp finish;
    for (const core::Message& message : effects_.messages) {
      const auto* found = std::get_if<Found>(&std::get<core::Reply>(message).answer);
      if (found == nullptr) continue;
      for (const Handout& each : found->tuples) {
        finish.items.push_back({Token{each.id, each.attempt}, {}});
      }
    }
    waiting_ -= finish.items.size();
    ask(std::move(finish));
  }
  void ask(Operation operation) {
    apply(core::Perform{{kClient, next_}, std::move(operation)});
    ++next_.value;
  }
  void apply(core::Command&& command) { state_.apply(std::move(command), now_, effects_); }
  void commit() {
    now_ += Duration(1);
    batch_.start(kSpace, now_);
    for (const core::Mutation& mutation : effects_.mutations) batch_.add(mutation);
    effects_.clear();
    storage_->commit(batch_).value_or_throw();
    if (storage_->retirement_due(kSpace)) storage_->retire(kSpace, Live(state_)).value_or_throw();
  }

  std::unique_ptr<Storage> storage_;
  core::SpaceState state_;
  core::Effects effects_;
  Batch batch_;
  Time now_{};
  RequestId next_{1};
  std::uint64_t waiting_ = 0;
};

struct Restarted {
  std::size_t bytes_read = 0;
  std::uint64_t tuples = 0;
};
Restarted restart(const std::filesystem::path& directory, const RocksdbOptions& options) {
  const auto storage = open_rocksdb_storage(directory, options).value_or_throw();
  core::SpaceState state;
  Batch read;
  read.start(kSpace, Time{});
  Restarted result;
  const auto visit = [&](core::Mutation&& mutation) {
    read.add(mutation);
    if (read.count() % 1000 == 0) {
      result.bytes_read += read.record().size();
      read.start(kSpace, Time{});
    }
    state.restore(std::move(mutation));
  };
  const Time now = storage->load(kSpace, visit).value_or_throw();
  state.restored(now);
  result.tuples = state.counters().tuples;
  return result;
}

TEST(Growth, PutsAndTakesDoNotMakeTheDirectoryGrowNorARestartLong) {
  const char* const asked = std::getenv("LINDEN_GROWTH_CYCLES");
  const std::uint64_t cycles = asked == nullptr ? 300'000 : std::strtoull(asked, nullptr, 10);
  const RocksdbOptions options =
      asked == nullptr ? RocksdbOptions{std::size_t{256} << 10} : RocksdbOptions{};
  const std::uintmax_t bytes_max = asked == nullptr ? 16U << 20 : 1U << 30;
  const Scratch scratch;
  const std::filesystem::path directory = scratch.path() / "data";

  std::uintmax_t most = 0;
  {
    Queue queue(directory, options);
    for (std::uint64_t done = 0; done < cycles; done += kBatch) {
      queue.cycle();
      if (done % 10'000 == 0) most = std::max(most, bytes_in(directory));
    }
  }
  EXPECT_LT(most, bytes_max);

  const auto start = std::chrono::steady_clock::now();
  const Restarted restarted = restart(directory, options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(restarted.tuples, kBacklog);
  EXPECT_LT(restarted.bytes_read, 5 * options.segment_bytes);
  if (asked != nullptr) {
    std::cout << cycles << " cycles: at most " << (most >> 20) << " MiB; the restart read "
              << (restarted.bytes_read >> 20) << " MiB in " << took.count() << " s\n";
  }
}

}  // namespace
}  // namespace linden::storage
