// api/data/host_store.h: large bytes of a farm on one host, one copy for all of its processes.
//
//   <memory>/linden-<uid>-<farm>/      on a tmpfs (/dev/shm)
//     locks                            who uses what (locks.h)
//     kept/<name>                      bytes under the name of their content
//     free/<number>                    memory to be written over: fresh pages cost more than the
//     copy new/<number>                     being written
//   <disk>/linden-<uid>-<farm>/kept/   what had no room in memory
//
// Every process of this user that knows the farm's id shares it.  Files never change once they have
// a name, so a mapping stays good whatever becomes of the file.  What is in use by a process is
// never removed; what else is to be kept the caller knows (node.h asks the farm).
//
// Nothing in here knows of the farm.  Every method may be called from any thread.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linden/bytes.h>

#include "api/client/socket.h"
#include "api/data/locks.h"

namespace linden::data {

struct StorePaths {
  std::filesystem::path memory;  // of this farm
  std::filesystem::path disk;
};

// `memory_base` and `disk_base` hold the stores of all farms.
[[nodiscard]] StorePaths store_paths(const std::filesystem::path& memory_base,
                                     const std::filesystem::path& disk_base, std::string_view farm);

struct StoreLimits {
  std::uint64_t memory_bytes = 0;  // 0: half of the file system's size
  std::uint64_t disk_bytes = 0;    // 0: half of what is free there
};

// Bytes that are in the store and stay there while `use` lives.
struct Kept {
  std::string name;
  Locks::Use use;
};

class HostStore {
 public:
  // Makes what is missing of the directories, readable by this user only.  Throws Error
  // kStorageFailed, kNotAllowed (a directory belongs to somebody else).
  explicit HostStore(StorePaths paths, StoreLimits limits = {});
  HostStore(const HostStore&) = delete;
  HostStore& operator=(const HostStore&) = delete;

  // Names this store among those of all hosts: machine, boot, and directory.
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const StorePaths& paths() const noexcept { return paths_; }

  // Keeps the bytes; nothing is copied if they are there.  Throws Error kOverloaded: there is room
  // neither in memory nor on disk.
  [[nodiscard]] Kept put(std::string_view bytes);
  // Moves a file in, to disk.  Throws Error kStorageFailed, kOverloaded.
  [[nodiscard]] Kept adopt(const std::filesystem::path& file);
  // The bytes, mapped, not copied; none if they are not here.
  [[nodiscard]] std::optional<Bytes> map(std::string_view name);
  // In use until the end of the scope; none if it is not here.
  [[nodiscard]] std::optional<Kept> find(std::string_view name);
  // A file of it to read from; its size in `size`.
  [[nodiscard]] Descriptor open(std::string_view name, std::uint64_t& size) const;
  // If `bytes` are all of what this process has mapped under some name: that, without a look at
  // them, for nobody can have changed them.
  [[nodiscard]] std::optional<Kept> find_mapped(std::string_view bytes);

  // Bytes that come piece by piece, from another host.
  class Arrival {
   public:
    // Throws Error kStorageFailed.
    void append(std::string_view piece);
    // Gives them their name.  Throws Error kMalformed if their content has another one.
    [[nodiscard]] Kept finish();
    ~Arrival();
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

   private:
    friend class HostStore;
    Arrival(HostStore& store, std::string name, std::uint64_t size);
    HostStore& store_;
    std::string name_;
    std::filesystem::path draft_;
    std::filesystem::path place_;  // the directory of kept files that it is for
    Descriptor file_;
    std::uint64_t written_ = 0;
  };
  [[nodiscard]] std::unique_ptr<Arrival> receive(std::string_view name, std::uint64_t size);

  // Memory of this process alone that can be written to, out of what waits to be written over if
  // something fits, and given back to that in the end.
  class Scratch {
   public:
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::span<char> bytes() const noexcept { return bytes_; }

   private:
    friend class HostStore;
    Scratch(std::shared_ptr<HostStore> store, std::filesystem::path file, std::span<char> bytes)
        : store_(std::move(store)), file_(std::move(file)), bytes_(bytes) {}
    std::shared_ptr<HostStore> store_;
    std::filesystem::path file_;
    std::span<char> bytes_;
    pid_t owner_ = ::getpid();
  };
  // None if there is no room in memory.
  [[nodiscard]] static std::unique_ptr<Scratch> scratch(std::shared_ptr<HostStore> store,
                                                        std::uint64_t size);

  // One process of the host at a time fetches what has this name; false: somebody does.
  [[nodiscard]] Locks::Removal try_fetch(std::string_view name) {
    return fetching_.try_remove(name);
  }

  // Names that no process uses, oldest first.
  [[nodiscard]] std::vector<std::string> unused();
  // False if somebody uses it, or if it is wanted: that is asked while nobody can begin to use it.
  bool remove(std::string_view name, const std::function<bool()>& is_unwanted = {});
  // Gives back memory that waits to be written over and has done so for `age_s` seconds.
  void trim(double age_s);
  // Moves to disk what no process uses, oldest first, until `bytes` are free below the limit.
  void spill(std::uint64_t bytes);

  struct Usage {
    std::uint64_t memory = 0;
    std::uint64_t disk = 0;
    std::size_t count = 0;
  };
  [[nodiscard]] Usage usage() const;

  // Removes the store if it is empty and no other process has it open; whether it did.  Who opens
  // it at the same time waits, and makes it anew.  If it did not, the last one of the others may:
  // from now on this process has no share in whether it stays.
  bool destroy_if_last(bool even_if_full = false);
  // Removes the store and all that is in it.
  void destroy();
  // Moves all to disk, where it outlives every process, for a farm that will be started again.
  // Throws Error kOverloaded: there is no room.
  void preserve();

 private:
  struct Mapping;
  [[nodiscard]] std::filesystem::path in_memory(std::string_view name) const;
  [[nodiscard]] std::filesystem::path on_disk(std::string_view name) const;
  [[nodiscard]] std::filesystem::path draft(const std::filesystem::path& root) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::shared_ptr<const Mapping> known(std::string_view name);
  [[nodiscard]] std::filesystem::path claim_free(std::uint64_t size);
  void give_back(const std::filesystem::path& file);
  [[nodiscard]] bool write_memory(std::string_view name, std::string_view bytes);
  void write_disk(std::string_view name, std::string_view bytes);
  [[nodiscard]] bool make_room(std::uint64_t bytes);
  void require_disk(std::uint64_t bytes) const;

  StorePaths paths_;
  StoreLimits limits_;
  Locks::Use membership_;
  Locks locks_;
  Locks fetching_;
  std::string id_;
  std::mutex removing_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Mapping>, std::less<>> mapped_;
  std::map<const char*, std::weak_ptr<const Mapping>> by_address_;
};

// Removes stores of this user that no process has open, as after kill -9 of all, but not what was
// preserved.  Returns how many.
std::size_t sweep_stores(const std::filesystem::path& memory_base,
                         const std::filesystem::path& disk_base);

}  // namespace linden::data
