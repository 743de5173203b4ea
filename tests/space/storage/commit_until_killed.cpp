// tests/space/storage/commit_until_killed.cpp: commits without end, saying so after each; for
// test_kill.cpp to kill.
//
//   commit_until_killed DIRECTORY DURABILITY
//
// Commit n puts tuple n and removes tuple n - 5, so the newest tuple says how many commits there
// were and which tuples must be there.  Retires segments as a server does.
#include <string>
#include <string_view>

#include <unistd.h>

#include "model_space.h"

namespace {

using namespace linden;           // NOLINT(google-build-using-namespace)
using namespace linden::storage;  // NOLINT(google-build-using-namespace)

constexpr RocksdbOptions kSmallSegments{4096};

void commit_next(Storage& storage, SpaceNumber space, ModelSpace& model, Batch& batch) {
  const TupleId id = model.next();
  batch.start(space, Time(Duration(static_cast<std::int64_t>(id.value))));
  const auto change = [&](const core::Mutation& mutation) {
    model.apply(mutation);
    batch.add(mutation);
  };
  change(core::TupleAdded{id, Tuple{"task", static_cast<std::int64_t>(id.value)}, {}});
  if (id.value > 5) change(core::TupleRemoved{TupleId{id.value - 5}});
  storage.commit(batch).value_or_throw();
  const std::string line = std::to_string(id.value) + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) ::_exit(3);
  if (storage.retirement_due(space)) storage.retire(space, model).value_or_throw();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const Durability durability = durability_named(argv[2]).value_or_throw();
  const auto storage = open_rocksdb_storage(argv[1], kSmallSegments).value_or_throw();
  ModelSpace model;
  SpaceNumber space;
  if (storage->spaces().empty()) {
    space = storage->create_space("jobs", durability, {}, Time{}).value_or_throw().number;
  } else {
    space = storage->spaces()[0].number;
    storage->load(space, [&](core::Mutation&& each) { model.apply(each); }).value_or_throw();
  }
  Batch batch;
  for (;;) commit_next(*storage, space, model, batch);
}
