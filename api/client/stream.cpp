// api/client/stream.cpp: the public face of a standing request.
#include <linden/stream.h>

#include <utility>

#include "api/client/core.h"

namespace linden {

std::optional<Handout> Stream::next(Duration timeout, const Interrupt& interrupt) {
  auto one = client_.core_->next(*state_, timeout, 1, interrupt);
  if (one.empty()) return std::nullopt;
  return std::move(one.front());
}

std::vector<Handout> Stream::next_batch(Duration timeout, std::size_t count_max,
                                        const Interrupt& interrupt) {
  return client_.core_->next(*state_, timeout, count_max, interrupt);
}

void Stream::finish(Token token, std::vector<NewTuple> puts, bool flush) {
  client_.core_->finish(*state_, token, std::move(puts), flush);
}

void Stream::put(std::vector<NewTuple> puts, bool flush) {
  client_.core_->finish(*state_, std::nullopt, std::move(puts), flush);
}
void Stream::release(Token token, bool started) {
  client_.core_->release(*state_, token, started);
}
void Stream::flush() {
  client_.core_->flush(*state_);
}
void Stream::set_credit(std::uint32_t credit) {
  client_.core_->set_credit(*state_, credit);
}
std::size_t Stream::queued() const {
  return client_.core_->queued(*state_);
}
RequestId Stream::id() const {
  return state_->id;
}
void Stream::on_news(std::function<void()> news) {
  client_.core_->on_news(*state_, std::move(news));
}
void Stream::close() {
  client_.core_->close_stream(*state_);
}

}  // namespace linden
