// workers/cpp/shuffle/merge.cpp
#include "workers/cpp/shuffle/merge.h"

#include <utility>

#include "workers/cpp/shuffle/sort_buffer.h"

namespace linden::shuffle {

Merge::Merge(std::vector<SourcePtr> sources) : sources_(std::move(sources)) {
  for (std::uint32_t i = 0; i < sources_.size(); ++i) {
    Record record;
    if (sources_[i]->next(record)) heads_.push_back({prefix_of(record.key), i, record});
  }
  for (std::size_t i = heads_.size() / 2; i-- > 0;) sink(i);
}

bool Merge::before(const Head& a, const Head& b) {
  if (a.prefix != b.prefix) return a.prefix < b.prefix;
  const int order = a.record.key.compare(b.record.key);
  return order != 0 ? order < 0 : a.source < b.source;
}

void Merge::sink(std::size_t at) {
  const Head moving = heads_[at];
  while (true) {
    std::size_t child = 2 * at + 1;
    if (child >= heads_.size()) break;
    if (child + 1 < heads_.size() && before(heads_[child + 1], heads_[child])) ++child;
    if (!before(heads_[child], moving)) break;
    heads_[at] = heads_[child];
    at = child;
  }
  heads_[at] = moving;
}

bool Merge::next(Record& record) {
  // What was given last stays valid until now, so its source moves on only here.
  if (given_) {
    given_ = false;
    Head& first = heads_.front();
    if (sources_[first.source]->next(first.record)) {
      first.prefix = prefix_of(first.record.key);
    } else {
      first = heads_.back();
      heads_.pop_back();
    }
    if (!heads_.empty()) sink(0);
  }
  if (heads_.empty()) return false;
  record = heads_.front().record;
  given_ = true;
  return true;
}

bool Combined::next(Record& record) {
  if (!begun_) {
    begun_ = true;
    more_ = source_->next(ahead_);
  }
  if (!more_) return false;
  key_.assign(ahead_.key);
  value_.assign(ahead_.value);
  more_ = source_->next(ahead_);
  if (more_ && ahead_.key == key_) {
    Number number = number_of(value_);
    do {
      if (!combine(how_, number, number_of(ahead_.value))) fail_beyond_64_bits(key_);
      more_ = source_->next(ahead_);
    } while (more_ && ahead_.key == key_);
    value_.clear();
    append_value(value_, datum_of(number));
  }
  record = {key_, value_};
  return true;
}

}  // namespace linden::shuffle
