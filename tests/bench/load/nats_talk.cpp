// tests/bench/load/nats_talk.cpp: NATS JetStream: publish to a work queue on disk, pull from a
// durable consumer, acknowledge.  The server does not confirm an acknowledgement unless asked to,
// and is not asked to: an end counts as confirmed when the answers after it have come.
#include <charconv>
#include <vector>

#include "tests/bench/load/talk.h"

namespace linden::load {
namespace {

std::string publish(std::string_view subject, std::string_view reply, std::string_view body) {
  std::string out = "PUB ";
  out.append(subject);
  if (!reply.empty()) out.append(" ").append(reply);
  out.append(" ").append(std::to_string(body.size())).append("\r\n").append(body).append("\r\n");
  return out;
}

constexpr std::string_view kStream =
    R"({"name":"jobs","subjects":["jobs"],"retention":"workqueue","storage":"file"})";
constexpr std::string_view kConsumer =
    R"({"stream_name":"jobs","config":{"durable_name":"workers","ack_policy":"explicit",)"
    R"("max_ack_pending":1000000,"max_waiting":1000000}})";

class NatsTalk final : public Talk {
 public:
  // Answers to puts, to takes and to all else come under subjects of this client's own.
  explicit NatsTalk(std::uint64_t number)
      : inbox_("_INBOX." + std::to_string(number) + "."),
        put_(publish("jobs", inbox_ + "p", body_)) {}

  void greet(std::string& out) override {
    out += "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n";
    out += "SUB " + inbox_ + "* 1\r\n";
    out += publish("$JS.API.STREAM.CREATE.jobs", inbox_ + "o", kStream);
    out += publish("$JS.API.CONSUMER.DURABLE.CREATE.jobs.workers", inbox_ + "o", kConsumer);
    awaited_ += 2;
  }
  void put(std::size_t count, std::string& out) override {
    for (std::size_t i = 0; i < count; ++i) out += put_;
    awaited_ += count;
  }
  void take(std::size_t count, std::string& out) override {
    out += publish("$JS.API.CONSUMER.MSG.NEXT.jobs.workers", inbox_ + "t", std::to_string(count));
    awaited_ += count;
  }
  void end(bool /*bulk*/, std::string& out) override {
    for (const std::string& reply : taken_) out += publish(reply, "", "+ACK");
    tally_.ended += taken_.size();
    taken_.clear();
  }
  void ping(std::string& out) override {
    out += "PING\r\n";
    ++awaited_;
  }

  std::size_t hear(std::string_view in) override {
    std::size_t used = 0;
    while (true) {
      const std::size_t end = in.find("\r\n", used);
      if (end == std::string_view::npos) return used;
      const std::string_view line = in.substr(used, end - used);
      std::size_t next = end + 2;
      if (line.starts_with("MSG ") || line.starts_with("HMSG ")) {
        std::size_t size = 0;
        const std::size_t number_at = line.rfind(' ') + 1;
        std::from_chars(line.data() + number_at, line.data() + line.size(), size);
        if (in.size() < next + size + 2) return used;
        hear_message(line, in.substr(next, size));
        next += size + 2;
      } else if (line == "PONG") {
        --awaited_;
      } else if (line.starts_with("-ERR")) {
        throw WrongAnswer(std::string(line));
      }
      used = next;
    }
  }

 private:
  // "MSG SUBJECT SUBSCRIPTION [REPLY] BYTES"; a message that was taken comes under its own subject
  // and says where to acknowledge it.
  void hear_message(std::string_view line, std::string_view body) {
    const std::string_view subject = line.substr(4, line.find(' ', 4) - 4);
    if (line[0] == 'H') throw WrongAnswer(std::string(body));  // "no messages" and the like
    --awaited_;
    if (subject == "jobs") {
      const std::size_t reply_at = line.find("$JS.ACK.");
      if (body.size() != kBodyBytes || reply_at == std::string_view::npos) {
        throw WrongAnswer("a message of another size");
      }
      taken_.emplace_back(line.substr(reply_at, line.find(' ', reply_at) - reply_at));
      ++tally_.taken;
      return;
    }
    if (body.find("\"error\"") != std::string_view::npos) throw WrongAnswer(std::string(body));
    if (subject.back() == 'p') ++tally_.put;
  }

  const std::string body_ = std::string(kBodyBytes, 'x');
  const std::string inbox_;
  const std::string put_;
  std::vector<std::string> taken_;
};

}  // namespace

std::unique_ptr<Talk> make_nats_talk(std::uint64_t number) {
  return std::make_unique<NatsTalk>(number);
}

}  // namespace linden::load
