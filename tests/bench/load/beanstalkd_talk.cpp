// tests/bench/load/beanstalkd_talk.cpp: beanstalkd's protocol: put, reserve, delete.
#include <vector>

#include "tests/bench/load/talk.h"

namespace linden::load {
namespace {

class BeanstalkdTalk final : public Talk {
 public:
  void greet(std::string& out) override { ping(out); }
  void put(std::size_t count, std::string& out) override {
    for (std::size_t i = 0; i < count; ++i) out += put_;
    awaited_ += count;
  }
  void take(std::size_t count, std::string& out) override {
    for (std::size_t i = 0; i < count; ++i) out += "reserve\r\n";
    awaited_ += count;
  }
  void end(bool /*bulk*/, std::string& out) override {
    for (const std::string& job : taken_) out.append("delete ").append(job).append("\r\n");
    awaited_ += taken_.size();
    taken_.clear();
  }
  void ping(std::string& out) override {
    out += "use default\r\n";
    ++awaited_;
  }

  std::size_t hear(std::string_view in) override {
    std::size_t used = 0;
    while (true) {
      const std::size_t end = in.find("\r\n", used);
      if (end == std::string_view::npos) return used;
      const std::string_view line = in.substr(used, end - used);
      std::size_t next = end + 2;
      if (line.starts_with("RESERVED ")) {
        next += kBodyBytes + 2;
        if (in.size() < next) return used;
        hear_reserved(line.substr(9));
      } else {
        hear_line(line);
      }
      --awaited_;
      used = next;
    }
  }

 private:
  // "ID BYTES"
  void hear_reserved(std::string_view rest) {
    const std::size_t space = rest.find(' ');
    if (rest.substr(space + 1) != std::to_string(kBodyBytes)) {
      throw WrongAnswer("a job of another size");
    }
    taken_.emplace_back(rest.substr(0, space));
    ++tally_.taken;
  }
  void hear_line(std::string_view line) {
    if (line.starts_with("INSERTED ")) {
      ++tally_.put;
    } else if (line == "DELETED") {
      ++tally_.ended;
    } else if (!line.starts_with("USING ")) {
      throw WrongAnswer(std::string(line));
    }
  }

  const std::string put_ =
      "put 0 0 60 " + std::to_string(kBodyBytes) + "\r\n" + std::string(kBodyBytes, 'x') + "\r\n";
  std::vector<std::string> taken_;
};

}  // namespace

std::unique_ptr<Talk> make_beanstalkd_talk() {
  return std::make_unique<BeanstalkdTalk>();
}

}  // namespace linden::load
