// space/server/connection.h: one socket: frames in, commands to hosts, answers out.
//
// States: a Hello is awaited; it is being admitted by the home strand; open; leaving after a
// goodbye, until every host has ended the session; closing, while last words are written; closed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "api/wire/codec.h"
#include "space/server/file_descriptor.h"
#include "space/server/io_thread.h"
#include "space/server/session_table.h"
#include "space/server/traffic.h"

namespace linden::server {

class Control;

// Belongs to one IoThread; only thread() and number() may be called from others.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(IoThread& thread, Control& control, FileDescriptor socket, ConnectionNumber number);
  ~Connection();

  [[nodiscard]] IoThread& thread() const { return thread_; }
  [[nodiscard]] ConnectionNumber number() const { return number_; }

  void start();
  // Writes the refusal and closes.
  void reject(const Refused& why);

  // Answers of hosts; encoded at once, written at the end of the flush.
  void send(Outbound&& outbound);
  void finish_round();
  // Answers have waited long enough for company.
  void write_put_off();

  // What the home strand decided.
  void welcome(const wire::Welcome& welcome, bool attach_everywhere);
  void answer(RequestId to, const std::variant<Answer, wire::ServerAnswer>& answer);
  // Another connection speaks for the session now.
  void replaced();

  // Looks at its deadlines.  `stall`: the thread was stuck for so long, which is nobody's silence.
  void sweep(Time now, Duration stall);

  // The server ends: reads nothing more; then writes what is left and closes; then lets go at once.
  void stop_reading();
  void say_last_words();
  void shut();

 private:
  enum class State : std::uint8_t {
    kAwaitingHello,
    kAdmitting,
    kOpen,
    kLeaving,
    kClosing,
    kClosed
  };
  // A host that was told of the session.
  struct Attachment {
    std::shared_ptr<SpaceHost> host;
    bool is_certain = false;  // false: only told in case that it knows the session
    bool was_asked = false;   // since the last SessionHeard
    Time told_at{};
    RequestId told_acknowledged;
  };

  // Reading.
  void wait_readable();
  void on_readable();
  // Reads and parses for so many rounds; 0: only what was read before.
  void take_in(int rounds);
  // Reads once into the reader; false: there is no more for now.
  [[nodiscard]] bool read_once();
  void discard_input();
  [[nodiscard]] bool may_read() const;
  // Goes on after a pause: first with frames that have arrived already.
  void resume_reading();
  void parse();
  void on_frame(const wire::Frame& frame);
  void on_hello(wire::Hello&& hello);
  void on_request(wire::Request&& request, std::size_t bytes);
  void on_server_request(wire::ServerRequest&& request);
  void on_goodbye();
  void on_undecodable(const Failure& why);
  void tell_hosts_heard(Time now);
  Attachment* attachment(SpaceNumber space);
  void submit(const Attachment& to, core::Command&& command, std::size_t bytes = 0);
  void pause_for(const std::shared_ptr<SpaceHost>& host);
  void wait_for_backlog();

  // Writing.
  void reply(RequestId to, const Answer& answer);
  // Whether the client asked so patiently that the answer may wait for company.
  [[nodiscard]] bool may_wait(RequestId to, const Answer& answer);
  void close_delivery();
  void touch();
  void write();
  // Hands as much as it takes to the socket; false: it is full, or broken and closed.
  [[nodiscard]] bool write_once();
  void wait_writable();

  // Ending.
  void tell_lost();
  void close_after_write();
  void lose(std::string_view why);
  void close();

  IoThread& thread_;
  Control& control_;
  const ConnectionNumber number_;
  std::optional<boost::asio::posix::stream_descriptor> socket_;
  State state_ = State::kAwaitingHello;

  wire::FrameReader reader_;
  wire::Decoder decoder_;
  wire::Encoder encoder_;
  wire::WriteBuffer outbox_;

  wire::Hello hello_;
  RequestId acknowledged_;
  std::vector<Attachment> attachments_;
  std::size_t farewells_awaited_ = 0;
  // Requests under way whose answers may wait (wire::Request::patient).
  boost::unordered_flat_set<RequestId, std::hash<RequestId>> patient_;

  // Hand-outs to one stream that wait for more of their kind.
  RequestId delivery_stream_;
  std::vector<Handout> delivery_;
  std::size_t delivery_bytes_ = 0;

  bool is_touched_ = false;
  bool is_put_off_ = false;  // the thread will touch it soon
  bool is_waiting_readable_ = false;
  bool is_waiting_writable_ = false;
  bool is_reading_ = false;        // within take_in
  bool is_outbox_full_ = false;    // until it has drained to a half
  bool reading_stopped_ = false;   // the server ends
  bool is_server_ending_ = false;  // close as soon as all is written
  std::uint64_t requests_ = 0;     // of this round
  std::shared_ptr<SpaceHost> paused_for_;
  std::optional<boost::asio::steady_timer> pause_timer_;

  Time started_at_;
  Time last_byte_at_;
  Time write_stalled_at_ = kNever;
  Time closing_at_ = kNever;
};

}  // namespace linden::server
