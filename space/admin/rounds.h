// space/admin/rounds.h: what ends a command that goes on and on, and showing something in place.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <linden/client.h>

namespace linden::admin {

struct Desk;
class Session;

// While it lives, Ctrl-C, SIGTERM and SIGHUP end nothing by themselves: they are told here, so that
// a terminal can be left as it was and a count be exact.  A reader of standard output that has gone
// is told likewise.  Made before the client is: its threads leave the signals alone too.
class Signals {
 public:
  // `ended`: calls of this session end once it is over.
  explicit Signals(Session* ended = nullptr);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // Waits for the time or until it is over or the terminal has another size.  False: it is over.
  [[nodiscard]] bool wait(Duration time);
  [[nodiscard]] bool is_over();  // without waiting
  // Ends calls of the client once it is over.
  [[nodiscard]] Interrupt interrupt();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// What draws `text` over what a terminal of this size shows: each line cut, the last line says how
// many more there are.  Pure.
[[nodiscard]] std::string frame(std::string_view text, std::size_t columns, std::size_t rows);

// Calls `show`, which writes to standard output, every so often until it is over: on a terminal in
// place, elsewhere one round behind the other.  `rounds`: so many at most; 0: no bound.
void show_in_rounds(Desk& desk, Duration every, std::size_t rounds,
                    const std::function<void()>& show);

}  // namespace linden::admin
