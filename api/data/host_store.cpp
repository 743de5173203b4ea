// api/data/host_store.cpp
#include "api/data/host_store.h"

#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/data/content_name.h"
#include "api/data/store_files.h"
#include "api/data/system_error.h"

namespace linden::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMember = "member";
constexpr const char* kPreserved = "preserved";
// Memory that waits to be written over is this part of the limit at most.
constexpr std::uint64_t kFreePart = 4;

// Opens or makes the store, and becomes one of those that have it open.  Another process may remove
// it meanwhile, because it was the last.
Locks open_store(const StorePaths& paths, Locks::Use& membership) {
  constexpr int kTries = 20;
  const fs::path file = paths.memory / "locks";
  for (int left = kTries;; --left) {
    try {
      make_private_directory(paths.memory);
      for (const char* part : {"kept", "free", "new"}) make_private_directory(paths.memory / part);
      Locks locks(file);
      membership = locks.use(kMember);  // waits for a remover
      if (locks.is_at(file)) return locks;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kStorageFailed || left == 0 || is_there(file)) throw;
    }
    if (left == 0)
      throw Error(ErrorCode::kStorageFailed,
                  "the data store " + paths.memory.string() + " goes as often as it is opened");
  }
}

}  // namespace

// Bytes of a file where they lie in memory, while any share lives.
struct HostStore::Mapping {
  std::string name;
  Locks::Use use;
  std::string_view bytes;

  Mapping(std::string named, Locks::Use used, std::string_view mapped)
      : name(std::move(named)), use(std::move(used)), bytes(mapped) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { ::munmap(const_cast<char*>(bytes.data()), bytes.size()); }
};

StorePaths store_paths(const fs::path& memory_base, const fs::path& disk_base,
                       std::string_view farm) {
  const std::string name = store_prefix() + std::string(farm);
  return {memory_base / name, disk_base / (name + "." + host_name())};  // hosts may share a disk
}

HostStore::HostStore(StorePaths paths, StoreLimits limits)
    : paths_(std::move(paths)),
      limits_(limits),
      locks_(open_store(paths_, membership_)),
      fetching_(paths_.memory / "fetching"),
      id_(directory_id(paths_.memory)) {
  if (limits_.memory_bytes == 0) limits_.memory_bytes = size_of_file_system(paths_.memory) / 2;
  std::error_code ignored;
  fs::remove(paths_.disk / kPreserved, ignored);
}

fs::path HostStore::in_memory(std::string_view name) const {
  return paths_.memory / "kept" / name;
}

fs::path HostStore::on_disk(std::string_view name) const {
  return paths_.disk / "kept" / name;
}

fs::path HostStore::draft(const fs::path& root) const {
  return root / "new" / random_file_name();
}

bool HostStore::has(std::string_view name) const {
  std::uint64_t size = 0;
  return parse_content_name(name, size) &&
         (size_at(in_memory(name)) == size || size_at(on_disk(name)) == size);
}

// ---- Bytes in

Kept HostStore::put(std::string_view bytes) {
  if (auto mapped = find_mapped(bytes)) return std::move(*mapped);
  const std::string name = content_name(bytes);
  Kept kept{name, locks_.use(name)};  // from here on nobody removes it
  if (!has(name) && !write_memory(name, bytes)) write_disk(name, bytes);
  return kept;
}

bool HostStore::write_memory(std::string_view name, std::string_view bytes) {
  if (!make_room(bytes.size())) return false;
  fs::path file = claim_free(bytes.size());
  const bool recycled = !file.empty();
  if (!recycled) file = draft(paths_.memory);
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_system_error("open " + file.string());
  // The tail first: what is cut off is not written in vain, and no room shows early.
  if (recycled && ::ftruncate(fd.get(), static_cast<off_t>(bytes.size())) != 0)
    throw_system_error("resize " + file.string());
  if (!write_all(fd.get(), bytes)) {
    const bool full = errno == ENOSPC;
    ::unlink(file.c_str());
    if (!full) throw_system_error("write " + file.string());
    return false;
  }
  give_name(file, in_memory(name));
  return true;
}

void HostStore::write_disk(std::string_view name, std::string_view bytes) {
  require_disk(bytes.size());
  const fs::path file = draft(paths_.disk);
  const Descriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) throw_system_error("open " + file.string());
  if (!write_all(fd.get(), bytes)) {
    ::unlink(file.c_str());
    throw no_room(bytes.size(), paths_.memory, paths_.disk);
  }
  give_name(file, on_disk(name));
}

Kept HostStore::adopt(const fs::path& file) {
  std::uint64_t size = 0;
  std::string name;
  {
    const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_system_error("open " + file.string());
    size = size_of(fd.get());
    const FileMapping content(fd.get(), size);
    name = content_name(content.bytes());
  }
  Kept kept{name, locks_.use(name)};
  require_disk(size);
  if (has(name)) {
    ::unlink(file.c_str());
    return kept;
  }
  if (::rename(file.c_str(), on_disk(name).c_str()) == 0) return kept;
  if (errno != EXDEV) throw_system_error("move " + file.string() + " into the data store");
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_system_error("open " + file.string());
  write_disk(name, FileMapping(fd.get(), size).bytes());
  ::unlink(file.c_str());
  return kept;
}

HostStore::Arrival::Arrival(HostStore& store, std::string name, std::uint64_t size)
    : store_(store), name_(std::move(name)) {
  if (store.make_room(size)) {
    place_ = store.in_memory(name_);
    draft_ = store.claim_free(size);
    if (draft_.empty()) draft_ = store.draft(store.paths_.memory);
  } else {
    store.require_disk(size);
    place_ = store.on_disk(name_);
    draft_ = store.draft(store.paths_.disk);
  }
  file_ = Descriptor(::open(draft_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file_ || ::ftruncate(file_.get(), static_cast<off_t>(size)) != 0)
    throw_system_error("open " + draft_.string());
}

void HostStore::Arrival::append(std::string_view piece) {
  if (!write_all(file_.get(), piece, written_)) throw_system_error("write " + draft_.string());
  written_ += piece.size();
}

Kept HostStore::Arrival::finish() {
  std::string found;
  {
    const Descriptor fd(::open(draft_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_system_error("open " + draft_.string());
    found = content_name(FileMapping(fd.get(), written_).bytes());
  }
  if (found != name_) {
    throw Error(ErrorCode::kMalformed,
                "wanted the data " + name_ + " from another host, and found " +
                    std::to_string(written_) + " bytes of the name " + found);
  }
  Kept kept{name_, store_.locks_.use(name_)};
  give_name(draft_, place_);
  draft_.clear();
  return kept;
}

HostStore::Arrival::~Arrival() {
  if (!draft_.empty()) ::unlink(draft_.c_str());
}

std::unique_ptr<HostStore::Arrival> HostStore::receive(std::string_view name, std::uint64_t size) {
  return std::unique_ptr<Arrival>(new Arrival(*this, std::string(name), size));
}

std::unique_ptr<HostStore::Scratch> HostStore::scratch(std::shared_ptr<HostStore> store,
                                                       std::uint64_t size) {
  if (size == 0 || !store->make_room(size)) return nullptr;
  fs::path file = store->claim_free(size);
  if (file.empty()) file = store->draft(store->paths_.memory);
  const Descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // What the file system cannot promise now would end the process when it is written to.
  const bool there = fd && ::ftruncate(fd.get(), static_cast<off_t>(size)) == 0 &&
                     ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)) == 0;
  void* at =
      there ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0) : MAP_FAILED;
  if (at == MAP_FAILED) {
    ::unlink(file.c_str());
    return nullptr;
  }
  return std::unique_ptr<Scratch>(
      new Scratch(std::move(store), std::move(file), {static_cast<char*>(at), size}));
}

HostStore::Scratch::~Scratch() {
  ::munmap(bytes_.data(), bytes_.size());
  if (::getpid() != owner_) return;  // in a child, whose parent writes to it still
  // If it has been tidied away meanwhile, the memory went with the mapping.
  if (is_there(file_)) store_->give_back(file_);
}

// ---- Bytes out

std::shared_ptr<const HostStore::Mapping> HostStore::known(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  const auto found = mapped_.find(name);
  return found == mapped_.end() ? nullptr : found->second.lock();
}

std::optional<Bytes> HostStore::map(std::string_view name) {
  if (auto mapping = known(name)) return Bytes::share(mapping, mapping->bytes);
  Locks::Use use = locks_.use(name);
  std::uint64_t size = 0;
  const Descriptor fd = open(name, size);
  if (!fd) return std::nullopt;
  if (size == 0) return Bytes();
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) throw_system_error("map the data " + std::string(name));
  auto mapping = std::make_shared<const Mapping>(
      std::string(name), std::move(use), std::string_view(static_cast<const char*>(at), size));
  const std::scoped_lock lock(mutex_);
  std::erase_if(mapped_, [](const auto& entry) { return entry.second.expired(); });
  std::erase_if(by_address_, [](const auto& entry) { return entry.second.expired(); });
  mapped_.insert_or_assign(std::string(name), mapping);
  by_address_.insert_or_assign(mapping->bytes.data(), mapping);
  return Bytes::share(mapping, mapping->bytes);
}

std::optional<Kept> HostStore::find(std::string_view name) {
  Kept kept{std::string(name), locks_.use(name)};
  if (!has(name)) return std::nullopt;
  return kept;
}

Descriptor HostStore::open(std::string_view name, std::uint64_t& size) const {
  std::uint64_t said = 0;
  if (!parse_content_name(name, said)) return {};
  // It may be on its way from memory to disk, where it is before it is gone here.
  for (const fs::path& file : {in_memory(name), on_disk(name), in_memory(name)}) {
    Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw_system_error("open " + file.string());
    if (!fd) continue;
    size = size_of(fd.get());
    if (size == said) return fd;  // else it was cut short, by a power cut
  }
  return {};
}

std::optional<Kept> HostStore::find_mapped(std::string_view bytes) {
  std::shared_ptr<const Mapping> mapping;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = by_address_.find(bytes.data());
    if (found != by_address_.end()) mapping = found->second.lock();
  }
  if (!mapping || mapping->bytes.size() != bytes.size() || !has(mapping->name)) return std::nullopt;
  return Kept{mapping->name, mapping->use};
}

// ---- Room

fs::path HostStore::claim_free(std::uint64_t size) {
  // The one that wastes least; beyond twice the size the rest would be cut off for nothing.
  fs::path best;
  std::uint64_t best_size = 0;
  for (const Found& file : files_in(paths_.memory / "free")) {
    const bool fits = file.size >= size ? file.size / 2 <= size : file.size >= size / 2;
    if (!fits) continue;
    const bool better =
        best.empty() || (file.size >= size ? best_size < size || file.size < best_size
                                           : best_size < size && file.size > best_size);
    if (better) {
      best = file.path;
      best_size = file.size;
    }
  }
  if (best.empty()) return {};
  fs::path claimed = draft(paths_.memory);
  return ::rename(best.c_str(), claimed.c_str()) == 0 ? claimed : fs::path();
}

void HostStore::give_back(const fs::path& file) {
  std::uint64_t waiting = 0;
  for (const Found& other : files_in(paths_.memory / "free")) waiting += other.size;
  const fs::path place = paths_.memory / "free" / random_file_name();
  if (waiting > limits_.memory_bytes / kFreePart || ::rename(file.c_str(), place.c_str()) != 0) {
    ::unlink(file.c_str());
    return;
  }
  touch(place);
}

void HostStore::trim(double age_s) {
  const double now = now_s(paths_.memory / "locks");
  const auto remove_older = [now](const fs::path& directory, double age) {
    for (const Found& file : files_in(directory))
      if (file.changed_s <= now - age) ::unlink(file.path.c_str());
  };
  remove_older(paths_.memory / "free", age_s);
  // What is being written is younger than that, or its writer has died.
  for (const fs::path& root : {paths_.memory, paths_.disk})
    remove_older(root / "new", std::max(age_s, kAbandonedDraftS));
}

bool HostStore::make_room(std::uint64_t bytes) {
  if (bytes > limits_.memory_bytes) return false;
  if (usage().memory + bytes <= limits_.memory_bytes) return true;
  spill(bytes);
  return usage().memory + bytes <= limits_.memory_bytes;
}

void HostStore::require_disk(std::uint64_t bytes) const {
  make_private_directory(paths_.disk);
  for (const char* part : {"kept", "new"}) make_private_directory(paths_.disk / part);
  const std::uint64_t used = usage().disk;
  const std::uint64_t free = free_in_file_system(paths_.disk);
  const std::uint64_t most = limits_.disk_bytes != 0 ? limits_.disk_bytes : (used + free) / 2;
  if (used + bytes > most) throw no_room(bytes, paths_.memory, paths_.disk);
}

void HostStore::spill(std::uint64_t bytes) {
  trim(0);
  std::uint64_t used = usage().memory;
  for (const Found& file : oldest_first(files_in(paths_.memory / "kept"))) {
    if (used + bytes <= limits_.memory_bytes) return;
    const std::string name = file.path.filename().string();
    const std::scoped_lock lock(removing_);
    const auto removal = locks_.try_remove(name);
    // What is mapped keeps its memory whether or not it has a name, so moving it would free none.
    if (!removal) continue;
    const Descriptor fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) continue;
    try {
      if (!is_there(on_disk(name))) write_disk(name, FileMapping(fd.get(), file.size).bytes());
    } catch (const Error&) {
      return;  // the disk is full, too
    }
    ::unlink(file.path.c_str());
    used -= file.size;
  }
}

std::vector<std::string> HostStore::unused() {
  std::vector<Found> files = files_in(paths_.memory / "kept");
  for (Found& file : files_in(paths_.disk / "kept")) files.push_back(std::move(file));
  std::vector<std::string> names;
  for (const Found& file : oldest_first(std::move(files))) {
    std::string name = file.path.filename().string();
    const std::scoped_lock lock(removing_);
    if (locks_.try_remove(name)) names.push_back(std::move(name));
  }
  return names;
}

bool HostStore::remove(std::string_view name, const std::function<bool()>& is_unwanted) {
  const std::scoped_lock lock(removing_);
  const auto removal = locks_.try_remove(name);
  if (!removal || (is_unwanted && !is_unwanted())) return false;
  if (is_there(in_memory(name))) give_back(in_memory(name));
  ::unlink(on_disk(name).c_str());
  return true;
}

HostStore::Usage HostStore::usage() const {
  Usage usage;
  for (const char* part : {"kept", "free", "new"})
    for (const Found& file : files_in(paths_.memory / part)) {
      usage.memory += file.size;
      usage.count += part[0] == 'k' ? 1 : 0;
    }
  for (const Found& file : files_in(paths_.disk / "kept")) {
    usage.disk += file.size;
    ++usage.count;
  }
  return usage;
}

// ---- The end

bool HostStore::destroy_if_last(bool even_if_full) {
  const std::scoped_lock lock(removing_);
  // For good: of two that leave at the same time each would see the other one come back.
  membership_.reset();
  const auto alone = locks_.try_remove(kMember);
  if (!alone || !locks_.is_at(paths_.memory / "locks")) return false;
  if (!even_if_full && usage().count > 0) return false;
  destroy();
  return true;
}

void HostStore::destroy() {
  remove_out_of_sight(paths_.memory);
  remove_out_of_sight(paths_.disk);
}

void HostStore::preserve() {
  if (usage().count == 0) {
    destroy();
    return;
  }
  require_disk(0);
  {
    const Descriptor mark(
        ::open((paths_.disk / kPreserved).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!mark) throw_system_error("write below " + paths_.disk.string());
  }
  for (const Found& file : files_in(paths_.memory / "kept")) {
    const std::string name = file.path.filename().string();
    const auto use = locks_.use(name);
    const Descriptor fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd && size_at(on_disk(name)) != file.size)
      write_disk(name, FileMapping(fd.get(), size_of(fd.get())).bytes());
  }
  remove_out_of_sight(paths_.memory);
}

std::size_t sweep_stores(const fs::path& memory_base, const fs::path& disk_base) {
  std::size_t swept = 0;
  const std::string half_gone = store_prefix() + std::string(kGone);
  const std::string host = "." + host_name();
  const auto stores_in = [&](const fs::path& base) {
    std::vector<fs::path> stores;
    for (fs::path& path : directories_in(base)) {
      const std::string name = path.filename().string();
      if (!name.starts_with(store_prefix()) || !is_own(path)) continue;
      if (name.starts_with(half_gone)) {
        std::error_code ignored;
        fs::remove_all(path, ignored);
      } else {
        stores.push_back(std::move(path));
      }
    }
    return stores;
  };
  for (const fs::path& store : stores_in(memory_base)) {
    if (!is_there(store / "locks")) continue;  // it is just being made
    try {
      Locks locks(store / "locks");
      const auto alone = locks.try_remove(kMember);
      if (!alone || !locks.is_at(store / "locks")) continue;
      remove_out_of_sight(store);
      ++swept;
    } catch (const Error&) {
      continue;  // somebody else has just removed it
    }
  }
  for (const fs::path& store : stores_in(disk_base)) {
    const std::string name = store.filename().string();
    if (!name.ends_with(host) || is_there(store / kPreserved)) continue;
    if (is_there(memory_base / name.substr(0, name.size() - host.size()))) continue;
    remove_out_of_sight(store);
    ++swept;
  }
  return swept;
}

}  // namespace linden::data
