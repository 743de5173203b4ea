// api/data/node.cpp: DataNode: a process, its host's store, and the farm.
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <span>
#include <stop_token>
#include <thread>

#include <linden/data.h>
#include <linden/farm.h>

#include "api/client/answers.h"
#include "api/data/content_name.h"
#include "api/data/farm_tuples.h"
#include "api/data/host_store.h"
#include "api/data/interfaces.h"
#include "api/data/payload.h"
#include "api/data/peer.h"
#include "api/data/store_files.h"

namespace linden {

using data::FarmIdentity;
using data::HostStore;
using data::Kept;
using data::PeerServer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

namespace {

constexpr auto kPartTtl = seconds(120);
// Memory that nobody has written over for so long is given back to the system.
constexpr double kFreeMemoryS = 30;
constexpr std::uint32_t kPeersAsked = 64;
constexpr std::size_t kCountsAtOnce = 100;
constexpr std::uint32_t kUsesAtOnce = 1000;
constexpr auto kAnswerFor = seconds(10);

bool wants_to_end(const Interrupt& interrupt) {
  return interrupt && interrupt();
}

// From `bytes` random bytes.
std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1)
    throw Error(ErrorCode::kInternal, "no random bytes to be had from OpenSSL");
  return bytes;
}

std::string random_hex(std::size_t bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : random_bytes(bytes)) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string environment(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::string(otherwise);
}

std::uint64_t bytes_from_environment(const char* name) {
  const std::string text = environment(name, "0");
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text.c_str(), &end, 10);
  if (end == nullptr || *end != '\0')
    throw Error(ErrorCode::kInvalidArgument,
                std::string(name) + " is '" + text + "'; a number of bytes is wanted");
  return value;
}

DataOptions completed(DataOptions options) {
  if (options.memory_directory.empty())
    options.memory_directory = environment("LINDEN_DATA_DIRECTORY", "/dev/shm");
  if (options.disk_directory.empty())
    options.disk_directory = environment("LINDEN_SPILL_DIRECTORY", "/var/tmp");
  if (options.memory_max == 0) options.memory_max = bytes_from_environment("LINDEN_DATA_MEMORY");
  if (options.disk_max == 0) options.disk_max = bytes_from_environment("LINDEN_DATA_DISK");
  return options;
}

// The first process that asks makes it.
FarmIdentity identity_of(Space& farm) {
  const Template form = data::farm_identity_form();
  auto found = farm.try_read(form);
  if (!found) {
    NewTuple made = data::farm_identity({random_hex(8), random_bytes(32)});
    try {
      farm.put(std::move(made.tuple), std::move(made.attributes));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kKeyConflict) throw;  // somebody was quicker
    }
    found = farm.try_read(form);
  }
  if (!found) {
    throw Error(ErrorCode::kNoMatch,
                "space '" + farm.name() + "' has lost its data_farm tuple; was it purged?");
  }
  return {found->tuple[1].as_text(), std::string(found->tuple[2].as_bytes().view())};
}

DataRef ref_of(Kept kept, const HostStore& store) {
  return {std::move(kept.name), store.id(), std::move(kept.use)};
}

}  // namespace

std::uint64_t DataRef::size() const {
  std::uint64_t size = 0;
  return data::parse_content_name(name, size) ? size : 0;
}

class DataNode::Impl {
 public:
  Impl(Space farm, DataOptions options, FarmIdentity identity)
      : farm_(std::move(farm)),
        options_(std::move(options)),
        identity_(std::move(identity)),
        store_(std::make_shared<HostStore>(
            data::store_paths(options_.memory_directory, options_.disk_directory, identity_.id),
            data::StoreLimits{options_.memory_max, options_.disk_max})) {
    if (options_.serve) serve_others();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop_serving(); }

  [[nodiscard]] const FarmIdentity& identity() const noexcept { return identity_; }
  [[nodiscard]] HostStore& store() noexcept { return *store_; }
  [[nodiscard]] const std::shared_ptr<HostStore>& shared_store() noexcept { return store_; }

  DataRef put(std::string_view bytes) {
    serve_others();
    return ref_of(store_->put(bytes), *store_);
  }

  DataRef adopt(const std::string& path) {
    serve_others();
    return ref_of(store_->adopt(path), *store_);
  }

  DataRef upload(std::string_view bytes, const Interrupt& interrupt) {
    const std::string name = data::content_name(bytes);
    upload_parts(name, "", bytes, Duration::zero(), interrupt);
    return {name, "", nullptr};
  }

  Bytes get(const DataRef& ref, Duration timeout, const Interrupt& interrupt) {
    std::uint64_t size = 0;
    if (!data::parse_content_name(ref.name, size))
      throw Error(ErrorCode::kInvalidArgument, "'" + ref.name + "' is no name of data");
    const Fetch fetch{*this, ref, std::chrono::steady_clock::now(), timeout, interrupt};
    while (true) {
      if (auto bytes = store_->map(ref.name)) return std::move(*bytes);
      if (const auto turn = fetch_turn(ref.name)) return fetch.run();
      fetch.pause();  // somebody on this host fetches it
    }
  }

  std::size_t sweep(const Interrupt& interrupt);
  void drop_uploaded(const std::string& name, const Interrupt& interrupt);
  void drop_arguments(std::string_view client, std::int64_t number, const Interrupt& interrupt);
  std::vector<std::string> drop_orphans(const Interrupt& interrupt);
  void stop_serving();

 private:
  // The way of one DataRef to this host.
  class Fetch {
   public:
    Fetch(Impl& node, const DataRef& ref, SteadyTime begin, Duration timeout,
          const Interrupt& interrupt)
        : node_(node), ref_(ref), begin_(begin), timeout_(timeout), interrupt_(interrupt) {}

    [[nodiscard]] Bytes run() const;
    void pause() const;

   private:
    [[nodiscard]] Duration left() const;
    // Interrupted, or the time is over.
    [[nodiscard]] bool is_over() const;
    [[nodiscard]] std::optional<Bytes> from_peers(std::string& why) const;
    [[nodiscard]] std::optional<Bytes> from_parts(const std::string& fetch) const;
    [[nodiscard]] std::optional<Bytes> from_space() const;
    [[nodiscard]] Bytes map_or_throw() const;

    Impl& node_;
    const DataRef& ref_;
    SteadyTime begin_;
    Duration timeout_;
    const Interrupt& interrupt_;
  };

  // The right to fetch a name, of one thread on this host.
  class Turn {
   public:
    Turn() = default;
    Turn(Impl& node, std::string name, data::Locks::Removal lock)
        : node_(&node), name_(std::move(name)), lock_(std::move(lock)) {}
    Turn(Turn&& other) noexcept
        : node_(std::exchange(other.node_, nullptr)),
          name_(std::move(other.name_)),
          lock_(std::move(other.lock_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (node_ == nullptr) return;
      const std::scoped_lock lock(node_->mutex_);
      const auto released = std::move(lock_);  // before another thread may ask for it
      node_->fetching_.erase(name_);
    }
    explicit operator bool() const noexcept { return node_ != nullptr; }

   private:
    Impl* node_ = nullptr;
    std::string name_;
    data::Locks::Removal lock_;
  };

  [[nodiscard]] Turn fetch_turn(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    if (fetching_.contains(name)) return {};
    auto among_processes = store_->try_fetch(name);
    if (!among_processes) return {};
    fetching_.insert(name);
    return {*this, name, std::move(among_processes)};
  }

  // How many matches each of some templates has; none: not known in time, or interrupted.
  [[nodiscard]] std::vector<std::optional<std::uint64_t>> counts(std::vector<Template> forms,
                                                                 const Interrupt& interrupt);
  [[nodiscard]] bool is_unwanted(const std::string& name, const Interrupt& interrupt) {
    return counts({data::uses_form(name)}, interrupt).front() == 0U;
  }
  // Removes at most so many matches; how many, as far as is known.
  std::size_t remove(const Template& form, std::uint32_t count_max, const Interrupt& interrupt);

  void serve_others();
  void fulfil_wishes(const std::stop_token& stopped);
  void upload_parts(const std::string& name, const std::string& fetch, std::string_view bytes,
                    Duration ttl, const Interrupt& interrupt);

  Space farm_;
  DataOptions options_;
  FarmIdentity identity_;
  std::shared_ptr<HostStore> store_;
  std::mutex mutex_;
  std::set<std::string> fetching_;
  std::once_flag serving_;
  std::unique_ptr<PeerServer> server_;
  std::optional<Stream> wished_;
  std::jthread wishes_;
};

// ---- What others want

void DataNode::Impl::serve_others() {
  std::call_once(serving_, [this] {
    const std::string host = options_.listen.empty()
                                 ? data::interface_towards(farm_.client().address())
                                 : options_.listen;
    std::vector<std::string> addresses;
    if (!host.empty()) {
      server_ = std::make_unique<PeerServer>(store_, identity_.secret, host);
      addresses = data::advertised_addresses(server_->address());
    }
    NewTuple holder = data::holder(store_->id(), farm_.client().session(), addresses);
    farm_.put(std::move(holder.tuple), std::move(holder.attributes));
    StreamOp form;
    form.mode = TakeMode::kTake;
    form.templates = {data::wanted_form(store_->id())};
    wished_ = farm_.open_stream(std::move(form));
    wishes_ = std::jthread([this](const std::stop_token& stopped) { fulfil_wishes(stopped); });
  });
}

void DataNode::Impl::fulfil_wishes(const std::stop_token& stopped) {
  try {
    while (const auto wish = wished_->next(kForever)) {
      const std::string name = wish->tuple[2].as_text();
      try {
        if (const auto bytes = store_->map(name))
          upload_parts(name, wish->tuple[3].as_text(), bytes->view(), kPartTtl,
                       [&] { return stopped.stop_requested(); });
      } catch (const Error&) {
        // The space is full, or the disk does not give it: whoever wants this one waits in vain.
      }
    }
  } catch (const Error&) {
    // Closed, or the session has ended.
  }
}

void DataNode::Impl::upload_parts(const std::string& name, const std::string& fetch,
                                  std::string_view bytes, Duration ttl,
                                  const Interrupt& interrupt) {
  const auto count =
      std::max<std::size_t>(1, (bytes.size() + data::kPartBytes - 1) / data::kPartBytes);
  if (fetch.empty() && farm_.count(data::parts_form(name, fetch)) >= count) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (interrupt && interrupt())
      throw Error(ErrorCode::kOutcomeUnknown, "interrupted while data were on their way");
    NewTuple part =
        data::part(name, fetch, static_cast<std::int64_t>(i), static_cast<std::int64_t>(count),
                   Bytes::copy_of(bytes.substr(i * data::kPartBytes, data::kPartBytes)), ttl);
    farm_.put(std::move(part.tuple), std::move(part.attributes));
  }
}

void DataNode::Impl::stop_serving() {
  std::call_once(serving_, [] {});  // waits for who is about to begin, and nobody begins later
  wishes_.request_stop();
  if (wished_) {
    try {
      wished_->close();
    } catch (const Error&) {
      // The session has ended, which wakes the thread as well.
    }
  }
  wishes_ = {};
  server_.reset();
}

// ---- What this process wants

Bytes DataNode::Impl::Fetch::run() const {
  std::string why;
  if (ref_.store.empty()) {
    if (auto bytes = from_parts("")) return std::move(*bytes);
    why = "it was put into the space, and is not there any more";
  } else if (ref_.store == node_.store_->id()) {
    why = "it was on this host, and is not any more";
  } else {
    if (auto bytes = from_peers(why)) return std::move(*bytes);
    if (auto bytes = from_space()) return std::move(*bytes);
  }
  throw Error(ErrorCode::kNoMatch,
              "the data " + ref_.name + " cannot be had: " + why +
                  "; were its results purged, or has every process on its host ended?");
}

void DataNode::Impl::Fetch::pause() const {
  if (interrupt_ && interrupt_())
    throw Error(ErrorCode::kOutcomeUnknown, "interrupted while data were on their way");
  static_cast<void>(left());
  std::this_thread::sleep_for(milliseconds(5));
}

bool DataNode::Impl::Fetch::is_over() const {
  if (interrupt_ && interrupt_()) return true;
  return timeout_ != kForever && std::chrono::steady_clock::now() - begin_ >= timeout_;
}

Duration DataNode::Impl::Fetch::left() const {
  if (timeout_ == kForever) return kForever;
  const auto spent =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin_);
  if (spent >= timeout_)
    throw Error(ErrorCode::kOutcomeUnknown, "the data " + ref_.name + " did not come in time");
  return timeout_ - spent;
}

std::optional<Bytes> DataNode::Impl::Fetch::from_peers(std::string& why) const {
  std::vector<Match> holders;
  try {
    holders = node_.farm_.read_many(data::holders_form(ref_.store), kPeersAsked, Duration::zero());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMatch) throw;
    why = "no process of the host that has it serves this farm";
    return std::nullopt;
  }
  why = "none of the processes on its host could be reached";
  for (const Match& holder : holders) {
    const List addresses = holder.tuple[3].as_list();
    for (const Value& address : addresses) {
      static_cast<void>(left());
      try {
        Kept kept;
        if (data::fetch_from_peer(address.as_text(), node_.identity_.secret, ref_.name,
                                  *node_.store_, kept, [this] { return is_over(); }))
          return map_or_throw();
        why = "its host does not have it any more";
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kOutcomeUnknown || error.code() == ErrorCode::kOverloaded)
          throw;
        why = error.what();
      }
    }
  }
  return std::nullopt;
}

std::optional<Bytes> DataNode::Impl::Fetch::from_space() const {
  if (node_.farm_.count(data::holders_form(ref_.store)) == 0) return std::nullopt;
  const std::string fetch = random_hex(8);
  const Duration ttl = std::min<Duration>(left(), kPartTtl);
  NewTuple wish =
      data::wanted(ref_.store, ref_.name, fetch, std::max<Duration>(ttl, milliseconds(10)));
  node_.farm_.put(std::move(wish.tuple), std::move(wish.attributes));
  return from_parts(fetch);
}

// Parts for `fetch` are awaited and taken; those that stay are read if they are there.
std::optional<Bytes> DataNode::Impl::Fetch::from_parts(const std::string& fetch) const {
  const bool stays = fetch.empty();
  std::unique_ptr<HostStore::Arrival> arrival;
  std::int64_t count = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const Template form = data::part_form(ref_.name, fetch, i);
    std::optional<Match> part;
    if (stays) {
      part = node_.farm_.try_read(form);
    } else {
      try {
        part = node_.farm_.take(form, std::min<Duration>(left(), kPartTtl), interrupt_);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoMatch) throw;
      }
    }
    if (!part) return std::nullopt;
    count = part->tuple[4].as_int();
    if (!arrival) arrival = node_.store_->receive(ref_.name, ref_.size());
    arrival->append(part->tuple[5].as_bytes().view());
  }
  const Kept kept = arrival->finish();
  return map_or_throw();
}

Bytes DataNode::Impl::Fetch::map_or_throw() const {
  auto bytes = node_.store_->map(ref_.name);
  if (!bytes)
    throw Error(ErrorCode::kNoMatch, "the data " + ref_.name + " came, and was removed at once");
  return std::move(*bytes);
}

// ---- Keeping house

std::vector<std::optional<std::uint64_t>> DataNode::Impl::counts(std::vector<Template> forms,
                                                                 const Interrupt& interrupt) {
  auto client = farm_.client();
  std::vector<RequestId> requests;
  requests.reserve(forms.size());
  for (Template& form : forms)
    requests.push_back(client.send(farm_.number(), CountOp{std::move(form), {}}));
  std::vector<std::optional<std::uint64_t>> found;
  for (const RequestId request : requests) {
    std::optional<Answer> answer;
    if (!wants_to_end(interrupt)) answer = client.wait(request, kAnswerFor, interrupt);
    if (!answer) client.forget(request);
    const auto* counted = answer ? std::get_if<Counted>(&*answer) : nullptr;
    found.push_back(counted == nullptr ? std::nullopt : std::optional(counted->count));
  }
  return found;
}

std::size_t DataNode::Impl::remove(const Template& form, std::uint32_t count_max,
                                   const Interrupt& interrupt) {
  if (wants_to_end(interrupt)) return 0;
  auto client = farm_.client();
  const RequestId request = client.send(
      farm_.number(), client::take_op(TakeMode::kTake, form, count_max, Duration::zero()));
  const auto answer = client.wait(request, kAnswerFor, interrupt);
  if (!answer) client.forget(request);
  const auto* found = answer ? std::get_if<Found>(&*answer) : nullptr;
  return found == nullptr ? 0 : found->tuples.size();
}

std::size_t DataNode::Impl::sweep(const Interrupt& interrupt) {
  store_->trim(kFreeMemoryS);
  const std::vector<std::string> names = store_->unused();
  std::size_t removed = 0;
  for (std::size_t begin = 0; begin < names.size(); begin += kCountsAtOnce) {
    const std::size_t end = std::min(names.size(), begin + kCountsAtOnce);
    std::vector<Template> forms;
    for (std::size_t i = begin; i < end; ++i) forms.push_back(data::uses_form(names[i]));
    const auto uses = counts(std::move(forms), interrupt);
    for (std::size_t i = begin; i < end; ++i) {
      if (uses[i - begin] != 0U) continue;
      // Asked again, since somebody may have put a tuple that names it.
      if (store_->remove(names[i], [&] { return is_unwanted(names[i], interrupt); })) ++removed;
    }
  }
  return removed;
}

void DataNode::Impl::drop_uploaded(const std::string& name, const Interrupt& interrupt) {
  if (!is_unwanted(name, interrupt)) return;
  // One by one, since an answer that has several may be too large.
  while (remove(data::parts_form(name, ""), 1, interrupt) > 0) {
  }
}

void DataNode::Impl::drop_arguments(std::string_view client, std::int64_t number,
                                    const Interrupt& interrupt) {
  const Template form = data::arguments_form(client, number);
  while (remove(form, kUsesAtOnce, interrupt) == kUsesAtOnce) {
  }
}

std::vector<std::string> DataNode::Impl::drop_orphans(const Interrupt& interrupt) {
  const std::string own = to_string(farm_.client().session());
  std::set<std::string> names;
  std::vector<Tuple> foreign;
  const auto drop_ended = [&] {
    std::vector<Template> forms;
    forms.reserve(foreign.size());
    for (const Tuple& use : foreign)
      forms.push_back(farm::results_form(use[2].as_text(), use[3].as_int()));
    const auto results = counts(std::move(forms), interrupt);
    for (std::size_t i = 0; i < foreign.size(); ++i) {
      if (results[i].value_or(0) == 0) continue;
      const Tuple& use = foreign[i];
      const std::string name = use[1].as_text();
      remove(data::arguments_form(use[2].as_text(), use[3].as_int(), name), 1, interrupt);
      names.insert(name);
    }
    foreign.clear();
  };
  auto walk = farm_.iterate(data::arguments_form());
  while (auto use = walk.next()) {
    if (wants_to_end(interrupt)) break;
    if (use->tuple[2].as_text() != own) foreign.push_back(std::move(use->tuple));
    if (foreign.size() == kCountsAtOnce) drop_ended();
  }
  drop_ended();
  return {names.begin(), names.end()};
}

// ---- DataNode

DataNode DataNode::join(Space farm, DataOptions options) {
  FarmIdentity identity = identity_of(farm);
  return DataNode(
      std::make_shared<Impl>(std::move(farm), completed(std::move(options)), std::move(identity)));
}

const std::string& DataNode::farm_id() const {
  return impl_->identity().id;
}

const std::string& DataNode::store_id() const {
  return impl_->store().id();
}

DataRef DataNode::put(std::string_view bytes) {
  return impl_->put(bytes);
}

DataRef DataNode::adopt(const std::string& path) {
  return impl_->adopt(path);
}

DataRef DataNode::upload(std::string_view bytes, const Interrupt& interrupt) {
  return impl_->upload(bytes, interrupt);
}

std::shared_ptr<char> DataNode::scratch(std::uint64_t size) {
  std::shared_ptr<HostStore::Scratch> made = HostStore::scratch(impl_->shared_store(), size);
  if (!made) return nullptr;
  char* data = made->bytes().data();
  return {std::move(made), data};
}

Bytes DataNode::get(const DataRef& ref, Duration timeout, const Interrupt& interrupt) {
  return impl_->get(ref, timeout, interrupt);
}

Value DataNode::resolve(const Value& field, Duration timeout, const Interrupt& interrupt) {
  if (field.type() == FieldType::kList) {
    List list = field.as_list();
    for (Value& item : list) item = resolve(item, timeout, interrupt);
    return list;
  }
  if (field.type() != FieldType::kObject) return field;
  const Object& object = field.as_object();
  if (!is_by_reference(object)) return field;
  if (object.parts.empty())
    throw Error(ErrorCode::kMalformed, "an object by reference has no table");
  const auto table = data::parse_table(object.parts[0].view()).value_or_throw();
  Object whole{object.codec.substr(0, object.codec.size() - data::kByReference.size()), {}};
  std::size_t next = 1;
  for (const auto& line : table.lines) {
    if (line.kind == data::TableLine::Kind::kElsewhere) {
      whole.parts.push_back(get(DataRef{line.name, line.store, nullptr}, timeout, interrupt));
    } else if (line.kind == data::TableLine::Kind::kInline) {
      if (next >= object.parts.size())
        throw Error(ErrorCode::kMalformed, "an object by reference has fewer parts than its table");
      whole.parts.push_back(object.parts[next++]);
    }
  }
  if (whole.codec != data::kBytesCodec) return whole;
  if (whole.parts.size() != 1)
    throw Error(ErrorCode::kMalformed,
                "bytes by reference have one part, found " + std::to_string(whole.parts.size()));
  return std::move(whole.parts.front());
}

namespace {

// What is large in it by `keep`; nothing if one has no room.
std::optional<Object> named(const std::string& farm, std::string_view codec,
                            std::span<const Bytes> parts, std::vector<DataRef>& refs,
                            const DataNode::Keep& keep) {
  data::Table table{farm, {}};
  Object rest{std::string(codec) + std::string(data::kByReference), {Bytes()}};
  for (const Bytes& part : parts) {
    if (part.size() < data::kLargeBytes) {
      table.lines.emplace_back();
      rest.parts.push_back(part);
      continue;
    }
    try {
      refs.push_back(keep(part));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kOverloaded && error.code() != ErrorCode::kStorageFailed)
        throw;
      return std::nullopt;
    }
    table.lines.push_back({data::TableLine::Kind::kElsewhere, refs.back().name, refs.back().store});
  }
  rest.parts[0] = Bytes::adopt(data::table_text(table));
  return rest;
}

bool is_large(const Bytes& part) noexcept {
  return part.size() >= data::kLargeBytes;
}

}  // namespace

Value DataNode::offload(const Value& field, std::vector<DataRef>& refs, const Keep& keep) {
  if (!has_large(field)) return field;
  if (!keep) return offload(field, refs, [this](const Bytes& part) { return put(part.view()); });
  if (field.type() == FieldType::kList) {
    List list = field.as_list();
    for (Value& item : list) item = offload(item, refs, keep);
    return list;
  }
  std::optional<Object> reference;
  if (field.type() == FieldType::kBytes) {
    reference = named(farm_id(), data::kBytesCodec, {&field.as_bytes(), 1}, refs, keep);
  } else {
    const Object& object = field.as_object();
    reference = named(farm_id(), object.codec, object.parts, refs, keep);
  }
  return reference ? Value(std::move(*reference)) : field;
}

bool DataNode::is_here(const DataRef& ref) {
  return impl_->store().find(ref.name).has_value();
}

void DataNode::drop_uploaded(const std::string& name, const Interrupt& interrupt) {
  impl_->drop_uploaded(name, interrupt);
}

void DataNode::drop_arguments(std::string_view client, std::int64_t number,
                              const Interrupt& interrupt) {
  impl_->drop_arguments(client, number, interrupt);
}

std::vector<std::string> DataNode::drop_orphans(const Interrupt& interrupt) {
  return impl_->drop_orphans(interrupt);
}

std::size_t DataNode::sweep(const Interrupt& interrupt) {
  return impl_->sweep(interrupt);
}

DataNode::Usage DataNode::usage() const {
  const auto usage = impl_->store().usage();
  return {usage.memory, usage.disk, usage.count};
}

void DataNode::leave(Remove remove) {
  impl_->stop_serving();
  if (remove == Remove::kAlways) {
    impl_->store().destroy();
  } else {
    static_cast<void>(impl_->store().destroy_if_last(remove == Remove::kIfLast));
  }
}

void DataNode::preserve() {
  impl_->stop_serving();
  impl_->store().preserve();
}

bool is_by_reference(const Object& object) noexcept {
  return object.codec.ends_with(data::kByReference);
}

// Of these two nearly always none is found, so they are what most tasks pay.

const Object* find_by_reference(const Value& field) {
  if (field.type() == FieldType::kObject)
    return is_by_reference(field.as_object()) ? &field.as_object() : nullptr;
  if (field.type() != FieldType::kList) return nullptr;
  for (const Value& item : field.as_list()) {
    if (const Object* found = find_by_reference(item)) return found;
  }
  return nullptr;
}

bool has_large(const Value& field) {
  switch (field.type()) {
    case FieldType::kBytes:
      return is_large(field.as_bytes());
    case FieldType::kObject:
      return std::ranges::any_of(field.as_object().parts, is_large);
    case FieldType::kList:
      return std::ranges::any_of(field.as_list(), has_large);
    default:
      return false;
  }
}

std::string farm_id_of(const Object& object) {
  if (!is_by_reference(object) || object.parts.empty()) return {};
  const std::string_view table = object.parts[0].view();
  return std::string(table.substr(0, table.find('\n')));
}

std::string data_host_id(const DataOptions& options) {
  try {
    return data::directory_id(completed(options).memory_directory);
  } catch (const Error&) {
    return {};
  }
}

std::size_t sweep_data_stores(const DataOptions& options) {
  const DataOptions where = completed(options);
  return data::sweep_stores(where.memory_directory, where.disk_directory);
}

void remove_preserved_data(std::string_view farm_id, const DataOptions& options) {
  const DataOptions where = completed(options);
  const auto paths = data::store_paths(where.memory_directory, where.disk_directory, farm_id);
  std::error_code ignored;
  std::filesystem::remove_all(paths.disk, ignored);
}

}  // namespace linden
