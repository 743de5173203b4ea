// api/data/locks.h: who uses what of a host's store, known to the kernel, so that kill -9 frees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "api/client/socket.h"

namespace linden::data {

using client::Descriptor;

// One file, a byte of which stands for each name.  A process that uses what has the name holds a
// read lock on its byte; whoever wants to remove it needs a write lock.  Open file description
// locks (fcntl(2)): one descriptor for any number of names, gone with the last process that has it.
// Two names that share a byte only make each other last longer.
class Locks {
 public:
  // Opens or makes the file.  Throws Error kStorageFailed.
  explicit Locks(const std::filesystem::path& file);
  // A share in the use of a name, held by this process while any copy lives.
  using Use = std::shared_ptr<const void>;

  // Whether the file is still there under its name, and not another one.
  [[nodiscard]] bool is_at(const std::filesystem::path& file) const noexcept;

  // Waits for a remover.
  [[nodiscard]] Use use(std::string_view name);

  // Sole right to a name that no process uses, until the end of the scope.
  class Removal {
   public:
    Removal() = default;
    Removal(int fd, std::int64_t byte) noexcept : fd_(fd), byte_(byte) {}
    Removal(Removal&& other) noexcept : fd_(std::exchange(other.fd_, -1)), byte_(other.byte_) {}
    Removal& operator=(Removal&&) = delete;
    ~Removal();
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

   private:
    int fd_ = -1;
    std::int64_t byte_ = 0;
  };
  // False if somebody uses it; one at a time in a process.
  [[nodiscard]] Removal try_remove(std::string_view name);

 private:
  // False: a remover has it.
  bool count_use(std::int64_t byte);

  struct Shared {
    std::mutex mutex;
    Descriptor users;  // holds this process's read locks
    std::map<std::int64_t, std::size_t> counts;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Descriptor remover_;  // a second description, whose locks conflict with those of the first
};

}  // namespace linden::data
