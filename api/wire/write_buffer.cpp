// api/wire/write_buffer.cpp
#include "api/wire/write_buffer.h"

#include <cassert>

namespace linden::wire {

std::string& WriteBuffer::run_for(std::size_t count) {
  const bool fits = !pieces_.empty() && pieces_.back().shared.empty() &&
                    pieces_.back().run.size() + count <= kRunBytes;
  if (!fits) {
    pieces_.emplace_back();
    pieces_.back().run = std::move(spare_);
    spare_.clear();
  }
  return pieces_.back().run;
}

void WriteBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  run_for(bytes.size()).append(bytes);
  size_ += bytes.size();
}

void WriteBuffer::append(const Bytes& bytes) {
  if (bytes.size() < kShareBytesMin) return append(bytes.view());
  pieces_.push_back({{}, bytes});
  size_ += bytes.size();
}

char* WriteBuffer::extend(std::size_t count) {
  std::string& run = run_for(count);
  run.resize(run.size() + count);
  size_ += count;
  return run.data() + run.size() - count;
}

std::size_t WriteBuffer::gather(iovec* out, std::size_t count) const {
  std::size_t filled = 0;
  std::size_t offset = front_offset_;
  for (auto piece = pieces_.begin(); piece != pieces_.end() && filled < count; ++piece) {
    const std::string_view rest = piece->view().substr(offset);
    offset = 0;
    if (rest.empty()) continue;
    // writev takes what it never changes as a pointer to changeable bytes.
    out[filled++] = {const_cast<char*>(rest.data()), rest.size()};
  }
  return filled;
}

void WriteBuffer::consume(std::size_t count) {
  assert(count <= size_);
  size_ -= count;
  front_offset_ += count;
  while (!pieces_.empty() && front_offset_ >= pieces_.front().view().size()) {
    front_offset_ -= pieces_.front().view().size();
    drop_front();
  }
}

void WriteBuffer::drop_front() {
  std::string& run = pieces_.front().run;
  if (run.capacity() > spare_.capacity() && run.capacity() <= 2 * kRunBytes) {
    spare_ = std::move(run);
    spare_.clear();
  }
  pieces_.pop_front();
}

void WriteBuffer::clear() {
  consume(size_);
  pieces_.clear();
  front_offset_ = 0;
}

}  // namespace linden::wire
