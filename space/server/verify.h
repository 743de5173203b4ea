// space/server/verify.h: space-server --verify: a look at a directory that no server has open.
#pragma once

#include <ostream>
#include <string>

#include <linden/result.h>

#include "space/storage/storage.h"

namespace linden::server {

// Reads everything in `directory`, compares it with its checksums, and restores each space as a
// start would, without writing.  Says what it found, a line per space and one at the end.
// kStorageFailed says what is wrong and names the file.
[[nodiscard]] Result<void> verify(const std::string& directory, std::ostream& out,
                                  const storage::RocksdbOptions& options = {});

}  // namespace linden::server
