// api/model/tuple.cpp
#include <linden/tuple.h>

#include <atomic>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

#include <linden/error.h>

#include "api/model/append.h"
#include "api/model/check.h"
#include "api/model/encoding.h"
#include "api/model/varint.h"

namespace linden {
namespace detail {

// The head's bytes follow directly behind.  16 bytes, so that millions of small tuples fit.
struct TupleRep {
  std::atomic<std::uint32_t> references{1};
  std::uint32_t head_bytes = 0;
  std::vector<Bytes>* attachments = nullptr;  // owned; null if there are none

  [[nodiscard]] char* head() noexcept { return reinterpret_cast<char*>(this + 1); }
};

}  // namespace detail

namespace {

using detail::TupleRep;

constexpr std::string_view kEmptyHead("\0", 1);

// Takes the attachments over.  `head` must be well formed.  A tuple without fields has no memory.
TupleRep* make_rep(std::string_view head, std::vector<Bytes>&& attachments) {
  if (head == kEmptyHead) return nullptr;
  auto owned =
      attachments.empty() ? nullptr : std::make_unique<std::vector<Bytes>>(std::move(attachments));
  void* memory = ::operator new(sizeof(TupleRep) + head.size());
  auto* rep = new (memory) TupleRep;
  rep->head_bytes = static_cast<std::uint32_t>(head.size());
  rep->attachments = owned.release();
  std::memcpy(rep->head(), head.data(), head.size());
  return rep;
}

void destroy(TupleRep* rep) noexcept {
  delete rep->attachments;
  rep->~TupleRep();
  ::operator delete(rep);
}

constexpr bool fits_head(std::size_t bytes) {
  return bytes <= std::numeric_limits<std::uint32_t>::max();
}

Failure malformed(const char* wrong) {
  return {ErrorCode::kMalformed, std::string("a tuple is malformed: ") + wrong};
}

}  // namespace

Tuple::Tuple(std::initializer_list<Value> fields)
    : Tuple(std::span<const Value>(fields.begin(), fields.size())) {}

Tuple::Tuple(std::span<const Value> fields) {
  TupleBuilder builder;
  for (const Value& field : fields) builder.add(field);
  *this = builder.build();
}

Tuple::Tuple(const Tuple& other) noexcept : rep_(other.rep_) {
  if (rep_ != nullptr) rep_->references.fetch_add(1, std::memory_order_relaxed);
}

Tuple::~Tuple() {
  if (rep_ == nullptr) return;
  // The last holder may skip the locked instruction: nobody else can see the count any more.
  if (rep_->references.load(std::memory_order_acquire) == 1 ||
      rep_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    destroy(rep_);
}

Result<Tuple> Tuple::decode(std::string_view head, std::vector<Bytes> attachments) {
  if (!fits_head(head.size())) return malformed("its head is 4 GiB or more");
  encoding::HeadCheck check(head, attachments);
  std::size_t count = 0;
  if (!check.check_count(count) || !check.check_fields(count) || !check.check_end())
    return malformed(check.wrong());
  return Tuple(make_rep(head, std::move(attachments)));
}

std::size_t Tuple::size() const noexcept {
  return static_cast<unsigned char>(head()[0]);
}

std::string_view Tuple::head() const noexcept {
  if (rep_ == nullptr) return kEmptyHead;
  return {rep_->head(), rep_->head_bytes};
}

std::span<const Bytes> Tuple::attachments() const noexcept {
  if (rep_ == nullptr || rep_->attachments == nullptr) return {};
  return *rep_->attachments;
}

Value Tuple::operator[](std::size_t index) const {
  assert(index < size());
  encoding::FieldWalk walk(*this);
  encoding::FieldView field;
  for (std::size_t i = 0; i <= index; ++i) walk.next(field);
  return encoding::value_of(field);
}

List Tuple::values() const {
  List values;
  values.reserve(size());
  encoding::FieldWalk walk(*this);
  for (encoding::FieldView field; walk.next(field);) values.push_back(encoding::value_of(field));
  return values;
}

std::size_t Tuple::byte_size() const noexcept {
  std::size_t bytes = head().size();
  for (const Bytes& attachment : attachments()) bytes += attachment.size();
  return bytes;
}

bool operator==(const Tuple& a, const Tuple& b) {
  // Equal values have equally long bytes, see encoding.h.
  if (a.head().size() != b.head().size() || a.size() != b.size()) return false;
  encoding::FieldWalk walk_a(a);
  encoding::FieldWalk walk_b(b);
  encoding::FieldView field_a;
  encoding::FieldView field_b;
  while (walk_a.next(field_a) && walk_b.next(field_b))
    if (!encoding::equal(field_a, field_b)) return false;
  return true;
}

// ---- TupleBuilder ----

TupleBuilder::TupleBuilder() {
  constexpr std::size_t kUsualHeadBytes = 256;
  head_.reserve(kUsualHeadBytes);
  head_ += '\0';  // the field count, filled by build()
}

void TupleBuilder::count_element() {
  if (!open_.empty()) {
    ++open_.back().count;
  } else if (++fields_ > kFieldsMax) {
    throw Error(ErrorCode::kLimitExceeded, "a tuple has at most " + std::to_string(kFieldsMax) +
                                               " fields, found more; put several into a list");
  }
}

void TupleBuilder::add_nil() {
  count_element();
  head_ += static_cast<char>(encoding::kTagNil);
}

void TupleBuilder::add_bool(bool value) {
  count_element();
  head_ += static_cast<char>(value ? encoding::kTagTrue : encoding::kTagFalse);
}

void TupleBuilder::add_int(std::int64_t value) {
  count_element();
  encoding::append_int(head_, value);
}

void TupleBuilder::add_float(double value) {
  count_element();
  encoding::append_float(head_, value);
}

void TupleBuilder::add_text(std::string_view utf8) {
  count_element();
  encoding::append_text(head_, utf8);
}

void TupleBuilder::add_bytes(std::string_view bytes) {
  put_bytes(bytes, nullptr);
}

void TupleBuilder::add_bytes(const Bytes& bytes) {
  put_bytes(bytes.view(), &bytes);
}

void TupleBuilder::put_bytes(std::string_view bytes, const Bytes* shared) {
  count_element();
  encoding::append_bytes(head_, attachments_, bytes, shared);
}

void TupleBuilder::begin_list() {
  encoding::check_depth(open_.size());
  count_element();
  open_.push_back({encoding::open_list(head_), 0});
}

void TupleBuilder::end_list() {
  assert(!open_.empty());
  encoding::close_list(head_, open_.back().start, open_.back().count);
  open_.pop_back();
}

void TupleBuilder::add_object(std::string_view codec, std::span<const Bytes> parts) {
  count_element();
  encoding::append_object(head_, attachments_, codec, parts);
}

void TupleBuilder::add(const Value& value) {
  count_element();
  encoding::append_value(head_, attachments_, value, open_.size());
}

void TupleBuilder::add(const encoding::FieldView& field) {
  if (!open_.empty()) encoding::check_depth(open_.size(), field);
  count_element();
  encoding::append_field(head_, attachments_, field);
}

Tuple TupleBuilder::build() {
  assert(open_.empty());
  if (!fits_head(head_.size()))
    throw Error(ErrorCode::kLimitExceeded,
                "the fields of a tuple other than large bytes may have 4 GiB, found " +
                    std::to_string(head_.size()) + " bytes; pass large data as bytes");
  head_[0] = static_cast<char>(fields_);
  Tuple tuple(make_rep(head_, std::move(attachments_)));
  head_.assign(1, '\0');
  attachments_.clear();
  fields_ = 0;
  return tuple;
}

}  // namespace linden
