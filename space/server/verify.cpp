#include "space/server/verify.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include "space/core/space_state.h"
#include "space/server/log.h"

namespace linden::server {

Result<void> verify(const std::string& directory, std::ostream& out,
                    const storage::RocksdbOptions& options) {
  storage::RocksdbOptions reading = options;
  reading.read_only = true;
  const Result<std::unique_ptr<storage::Storage>> storage =
      storage::open_rocksdb_storage(directory, reading);
  if (!storage) return storage.error();
  if (Result<void> sound = (*storage)->verify(); !sound) return sound;
  std::uint64_t mutations = 0;
  for (const storage::SpaceInfo& info : (*storage)->spaces()) {
    core::SpaceState state;
    const Result<Time> time = (*storage)->load(info.number, [&](core::Mutation&& mutation) {
      ++mutations;
      state.restore(std::move(mutation));
    });
    if (!time) return time.error();
    state.restored(*time);
    const core::SpaceCounters found = state.counters();
    fmt::print(out, "space={} durability={} tuples={} ready={} reserved={} dead={} bytes={}\n",
               in_quotes(info.name), storage::name_of(info.durability), found.tuples, found.ready,
               found.reserved, found.dead, found.bytes);
  }
  fmt::print(out, "sound spaces={} mutations={}\n", (*storage)->spaces().size(), mutations);
  return {};
}

}  // namespace linden::server
