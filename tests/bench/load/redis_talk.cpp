// tests/bench/load/redis_talk.cpp: Redis' protocol (RESP2), as a stream with a consumer group,
// whose entries are acknowledged and deleted, or as a list, which knows no acknowledgement: what
// was taken is lost with its taker.
#include <charconv>
#include <vector>

#include "tests/bench/load/talk.h"

namespace linden::load {
namespace {

using Words = std::vector<std::string_view>;

std::string command(const Words& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
  return out;
}

// Reads answers from the front of some bytes.
class Answers {
 public:
  explicit Answers(std::string_view in) : in_(in) {}

  // The next line without its end; false: it has not come whole.
  bool line(std::string_view& out) {
    const std::size_t end = in_.find("\r\n", at_);
    if (end == std::string_view::npos) return false;
    out = in_.substr(at_, end - at_);
    at_ = end + 2;
    return true;
  }
  bool body(std::size_t size, std::string_view& out) {
    if (in_.size() - at_ < size + 2) return false;
    out = in_.substr(at_, size);
    at_ += size + 2;
    return true;
  }
  // The next answer, arrays flattened into the texts that they hold.
  bool answer(Words& texts) {
    std::string_view head;
    if (!line(head)) return false;
    if (head.empty()) throw WrongAnswer("an empty line");
    if (head[0] == '-' && !head.starts_with("-BUSYGROUP")) throw WrongAnswer(std::string(head));
    if (head[0] == '+' || head[0] == ':' || head[0] == '-') {
      texts.push_back(head.substr(1));
      return true;
    }
    long count = 0;
    std::from_chars(head.data() + 1, head.data() + head.size(), count);
    if (count < 0) throw WrongAnswer("nothing was there");
    if (head[0] == '$') return body(static_cast<std::size_t>(count), texts.emplace_back());
    for (long i = 0; i < count; ++i) {
      if (!answer(texts)) return false;
    }
    return true;
  }
  [[nodiscard]] std::size_t used() const { return at_; }

 private:
  std::string_view in_;
  std::size_t at_ = 0;
};

class RedisTalk : public Talk {
 public:
  void ping(std::string& out) override {
    out += command({"PING"});
    ask(Asked::kOther);
  }

  std::size_t hear(std::string_view in) override {
    std::size_t used = 0;
    while (heard_ < asked_.size()) {
      Answers answers(in.substr(used));
      texts_.clear();
      if (!answers.answer(texts_)) break;
      hear_answer(asked_[heard_++], texts_);
      --awaited_;
      used += answers.used();
    }
    if (heard_ == asked_.size()) {
      asked_.clear();
      heard_ = 0;
    }
    return used;
  }

 protected:
  enum class Asked : std::uint8_t { kPut, kTake, kAcknowledge, kDelete, kOther };

  void ask(Asked what) {
    asked_.push_back(what);
    ++awaited_;
  }
  virtual void hear_answer(Asked what, const Words& texts) = 0;

  const std::string body_ = std::string(kBodyBytes, 'x');

 private:
  std::vector<Asked> asked_;  // in order, as the answers are
  std::size_t heard_ = 0;
  Words texts_;
};

class StreamTalk final : public RedisTalk {
 public:
  // The first to come makes the group.
  void greet(std::string& out) override {
    out += command({"XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM"});
    ask(Asked::kOther);
  }
  void put(std::size_t count, std::string& out) override {
    for (std::size_t i = 0; i < count; ++i) {
      out += put_;
      ask(Asked::kPut);
    }
  }
  void take(std::size_t count, std::string& out) override {
    if (count_ != count) {
      count_ = count;
      take_ = command({"XREADGROUP", "GROUP", "workers", "one", "COUNT", std::to_string(count),
                       "BLOCK", "0", "STREAMS", "jobs", ">"});
    }
    out += take_;
    ask(Asked::kTake);
  }
  void end(bool bulk, std::string& out) override {
    const std::size_t most = bulk ? count_ : 1;
    for (std::size_t i = 0; i < taken_.size();) {
      Words acknowledge = {"XACK", "jobs", "workers"};
      Words remove = {"XDEL", "jobs"};
      for (std::size_t n = 0; n < most && i < taken_.size(); ++n, ++i) {
        acknowledge.push_back(taken_[i]);
        remove.push_back(taken_[i]);
      }
      out += command(acknowledge);
      out += command(remove);
      ask(Asked::kAcknowledge);
      ask(Asked::kDelete);
    }
    taken_.clear();
  }

 private:
  // To a take: the stream's name, then of each entry its id, the field's name and its value.
  void hear_answer(Asked what, const Words& texts) override {
    if (what == Asked::kPut) ++tally_.put;
    if (what == Asked::kTake) {
      for (std::size_t i = 1; i + 2 < texts.size(); i += 3) {
        if (texts[i + 2].size() != kBodyBytes) throw WrongAnswer("an entry of another size");
        taken_.emplace_back(texts[i]);
        ++tally_.taken;
      }
    }
    if (what == Asked::kDelete) tally_.ended += std::stoul(std::string(texts.at(0)));
  }

  const std::string put_ = command({"XADD", "jobs", "*", "body", body_});
  std::size_t count_ = 0;
  std::string take_;
  std::vector<std::string> taken_;
};

class ListTalk final : public RedisTalk {
 public:
  void greet(std::string& out) override { ping(out); }
  void put(std::size_t count, std::string& out) override {
    if (put_count_ != count) {
      put_count_ = count;
      Words words(count, body_);
      words.insert(words.begin(), {"RPUSH", "jobs"});
      put_ = command(words);
    }
    out += put_;
    ask(Asked::kPut);
  }
  void take(std::size_t count, std::string& out) override {
    // BLPOP takes one and BLMPOP many; both wait.
    if (take_.empty()) {
      take_ = count == 1
                  ? command({"BLPOP", "jobs", "0"})
                  : command({"BLMPOP", "0", "1", "jobs", "LEFT", "COUNT", std::to_string(count)});
    }
    out += take_;
    ask(Asked::kTake);
  }
  void end(bool /*bulk*/, std::string& /*out*/) override { tally_.ended = tally_.taken; }

 private:
  void hear_answer(Asked what, const Words& texts) override {
    if (what == Asked::kPut) tally_.put += put_count_;
    if (what == Asked::kTake) {
      for (std::size_t i = 1; i < texts.size(); ++i) {
        if (texts[i].size() != kBodyBytes) throw WrongAnswer("an element of another size");
        ++tally_.taken;
      }
    }
  }

  std::size_t put_count_ = 0;
  std::string put_;
  std::string take_;
};

}  // namespace

std::unique_ptr<Talk> make_redis_stream_talk() {
  return std::make_unique<StreamTalk>();
}
std::unique_ptr<Talk> make_redis_list_talk() {
  return std::make_unique<ListTalk>();
}

}  // namespace linden::load
