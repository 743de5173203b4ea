// tests/bench/load/talk.h: what one client says to a queue and hears from it, without a socket.
//
// Every contestant is spoken to by the same program with the same rounds, and each by a talk that
// does as little as it can: requests are made once and copied, answers are only looked at as far as
// it takes to know that they are what was asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace linden::load {

// What every message carries.
inline constexpr std::size_t kBodyBytes = 100;

// The server said something else than it should.
struct WrongAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Messages whose put, take and end was confirmed.
struct Tally {
  std::uint64_t put = 0;
  std::uint64_t taken = 0;
  std::uint64_t ended = 0;
};

class Talk {
 public:
  virtual ~Talk() = default;

  // Each appends requests to `out`.  What precedes all else:
  virtual void greet(std::string& out) = 0;
  // `count` messages, in one request where there is such a request.
  virtual void put(std::size_t count, std::string& out) = 0;
  // Up to `count` messages that others will not get; waits until there is one.
  virtual void take(std::size_t count, std::string& out) = 0;
  // Ends everything that was taken, for good; by single requests unless `bulk`.
  virtual void end(bool bulk, std::string& out) = 0;
  // Something that is answered and does nothing.
  virtual void ping(std::string& out) = 0;

  // Takes whole answers from the front of `in`; returns how many bytes they had.
  [[nodiscard]] virtual std::size_t hear(std::string_view in) = 0;

  // Everything that was asked has been answered.
  [[nodiscard]] bool is_idle() const { return awaited_ == 0; }
  [[nodiscard]] const Tally& tally() const { return tally_; }

 protected:
  std::size_t awaited_ = 0;  // answers
  Tally tally_;
};

[[nodiscard]] std::unique_ptr<Talk> make_linden_talk(std::uint64_t number);
[[nodiscard]] std::unique_ptr<Talk> make_redis_stream_talk();
[[nodiscard]] std::unique_ptr<Talk> make_redis_list_talk();
[[nodiscard]] std::unique_ptr<Talk> make_beanstalkd_talk();
[[nodiscard]] std::unique_ptr<Talk> make_nats_talk(std::uint64_t number);

}  // namespace linden::load
