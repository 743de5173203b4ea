// linden/data.h: large bytes of a farm: where they are, and how a process gets them.
//
// A tuple names large bytes by a DataRef instead of carrying them.  On one host all processes share
// one copy in memory; between hosts they fetch from each other, over TCP with a secret of the farm;
// where neither works the bytes go through the space.  docs/design/data-path.md has the picture.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <linden/attributes.h>
#include <linden/bytes.h>
#include <linden/space.h>

namespace linden {

// Names bytes of a farm.  While `use` lives, or a tuple `data_use` of it is in the farm, the bytes
// stay.
struct DataRef {
  std::string name;                 // of the content: equal bytes have equal names
  std::string store;                // of the host that has them; "" if they are in the space
  std::shared_ptr<const void> use;  // by this process; may be empty

  [[nodiscard]] std::uint64_t size() const;  // bytes; 0 if `name` is none
  friend bool operator==(const DataRef& a, const DataRef& b) {
    return a.name == b.name && a.store == b.store;
  }
};

struct DataOptions {  // where data lies, and how much of it
  // Below these are the stores of all farms.  "": $LINDEN_DATA_DIRECTORY, else /dev/shm.
  std::string memory_directory;
  // "": $LINDEN_SPILL_DIRECTORY, else /var/tmp.
  std::string disk_directory;
  // Bounds of this host in bytes.  0: $LINDEN_DATA_MEMORY, $LINDEN_DATA_DISK, else half of what the
  // file systems have.
  std::uint64_t memory_max = 0;
  std::uint64_t disk_max = 0;
  // The address at which other hosts find this process: of an interface, or "0.0.0.0" or "::" for
  // all.  "": of the interface by which the server is reached, and none if that is a Unix socket.
  std::string listen;
  // Serve others from the beginning on rather than from when this process has put something.
  bool serve = false;
};

// What a process has to do with the data of one farm.  Copies share it.  Every method may be called
// from any thread.  Errors: Error kStorageFailed, kNotAllowed (the store's directory), those of the
// space.
class DataNode {
 public:
  // Opens the store of this host for the farm in `farm`.
  [[nodiscard]] static DataNode join(Space farm, DataOptions options = {});

  // Names the farm's data; all of its processes find the same.
  [[nodiscard]] const std::string& farm_id() const;
  // Names this host's store.
  [[nodiscard]] const std::string& store_id() const;

  // Copies the bytes into this host's store, unless they are there.  Throws Error kOverloaded: it
  // is full, in memory and on disk.
  [[nodiscard]] DataRef put(std::string_view bytes);
  // Moves a file into this host's store, on disk.
  [[nodiscard]] DataRef adopt(const std::string& path);
  // Puts the bytes into the space, for processes that cannot reach this one, or not any more.
  [[nodiscard]] DataRef upload(std::string_view bytes, const Interrupt& interrupt = {});

  // `size` bytes of memory to be written to, which nobody else sees, for as long as the result
  // lives. Out of what this host has used before if possible, since fresh memory is dear; their
  // content is whatever it was.  Null if there is no room, and for 0 bytes.
  [[nodiscard]] std::shared_ptr<char> scratch(std::uint64_t size);

  // The bytes, in shared memory: nothing is copied if they are on this host.  Throws Error
  // kNoMatch: whoever had them is gone; kOutcomeUnknown: they did not come within `timeout`, or
  // interrupted.
  [[nodiscard]] Bytes get(const DataRef& ref, Duration timeout = std::chrono::seconds(60),
                          const Interrupt& interrupt = {});

  // A field as it was before large parts of it went by reference; lists are looked through.  Any
  // other field as it is.  Throws Error as get(), kMalformed.
  [[nodiscard]] Value resolve(const Value& field, Duration timeout = std::chrono::seconds(60),
                              const Interrupt& interrupt = {});
  // The field with its bytes, and parts of its objects, of 1 MiB and more by reference, which
  // `refs` gets.  `keep` puts one where it is found again; without it that is put().  If there is
  // no room for one (kOverloaded, kStorageFailed), it stays where it is.
  using Keep = std::function<DataRef(const Bytes&)>;
  [[nodiscard]] Value offload(const Value& field, std::vector<DataRef>& refs,
                              const Keep& keep = {});

  // Whether the bytes are on this host.
  [[nodiscard]] bool is_here(const DataRef& ref);

  // Removes what was uploaded from the space, unless a tuple names it.
  void drop_uploaded(const std::string& name, const Interrupt& interrupt = {});
  // Takes back what keeps the arguments of a task, which has ended.
  void drop_arguments(std::string_view client, std::int64_t number,
                      const Interrupt& interrupt = {});
  // Takes back what keeps arguments of tasks that have results and whose client, which would have
  // done so, has died.  Returns what these named; what of it is in the space is for the caller to
  // drop, unless it needs it itself.
  std::vector<std::string> drop_orphans(const Interrupt& interrupt = {});

  // Removes from this host what no process uses and no tuple names; to be called now and then.
  // Returns how many.
  std::size_t sweep(const Interrupt& interrupt = {});

  struct Usage {               // what is on this host
    std::uint64_t memory = 0;  // bytes, of all processes of the host
    std::uint64_t disk = 0;    // bytes, likewise
    std::size_t count = 0;     // of pieces of data
  };
  [[nodiscard]] Usage usage() const;  // now

  // When to remove this host's store: if it is empty and no other process has it open; with what is
  // in it if no other process has it open; or always, because the farm has come to its end.
  enum class Remove : std::uint8_t { kIfEmpty, kIfLast, kAlways };
  // Stops serving others; what is mapped, or on this host, can still be had.
  void leave(Remove remove = Remove::kIfEmpty);
  // Moves what is in memory to disk, where it waits until the farm is started again, and leaves.
  void preserve();

 private:
  class Impl;
  explicit DataNode(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// Bytes and parts of objects of this size and more go by reference.
inline constexpr std::size_t kLargeDataBytes = std::size_t{1} << 20;
// Whether some parts of an object are only named: what resolve() would do something about.
[[nodiscard]] bool is_by_reference(const Object& object) noexcept;
// The first such object in a field, whose lists are looked through; or null.
[[nodiscard]] const Object* find_by_reference(const Value& field);
// Whether there are bytes, or parts of objects, so large that offload() would name them.
[[nodiscard]] bool has_large(const Value& field);
// Of the farm whose data an object by reference names.
[[nodiscard]] std::string farm_id_of(const Object& object);
// A space in which there is a match is that farm's.
[[nodiscard]] Template data_farm_form(std::string_view farm_id);

// The same for all processes that share a memory directory, and for no others; what an engine says
// of itself, so that clients know whether data in memory are at hand for it.  "" if there is none.
[[nodiscard]] std::string data_host_id(const DataOptions& options = {});

// ("data", name, client, number, role): keeps the data for a task of a client ("argument") or for
// its result ("result").
[[nodiscard]] Tuple data_use(const DataRef& ref, std::string_view client, std::int64_t number,
                             std::string_view role);

// Removes the stores of this user that no process has open any more, of whatever farm.
std::size_t sweep_data_stores(const DataOptions& options = {});
// Removes what was preserved of a farm.
void remove_preserved_data(std::string_view farm_id, const DataOptions& options = {});

}  // namespace linden
