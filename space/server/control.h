// space/server/control.h: what concerns the server as a whole: who is admitted, which spaces there
// are.  Its strand is the first IoThread, the "home" of the server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <boost/asio/steady_timer.hpp>

#include "api/wire/messages.h"
#include "space/core/limits.h"
#include "space/server/io_thread.h"
#include "space/server/session_table.h"
#include "space/server/space_directory.h"
#include "space/server/space_host.h"

namespace linden::server {

// What the server says of itself.
struct ServerFacts {
  std::string version;
  std::string directory;                                           // empty: none
  storage::Durability durability = storage::Durability::kProcess;  // of new spaces
  SessionId id;                                                    // drawn at this start
  core::Limits space_limits;
};

class Control {
 public:
  Control(ServerFacts facts, const std::vector<std::unique_ptr<IoThread>>& threads,
          HostTools& tools);

  // Before the threads run: a space that storage gave back, and who is known to it.
  void add_restored(storage::SpaceInfo info, core::SpaceState&& state);
  void start();
  // The home strand of a server that ends: nobody is admitted any more.
  void stop_admitting();
  void shut();

  // From any thread; what they decide is told to the connection on its own thread.
  void admit(std::shared_ptr<Connection> connection, wire::Hello hello);
  void lost(SessionId session, ConnectionNumber by);
  void closed(SessionId session, ConnectionNumber by);
  void disconnected(ConnectionNumber number);
  void ask(std::shared_ptr<Connection> connection, SessionId session, wire::ServerRequest request);

 private:
  using ServerAnswer = std::variant<Answer, wire::ServerAnswer>;
  // One request to the server, and where its answer goes.
  struct Question {
    std::shared_ptr<Connection> connection;
    SessionId session;
    RequestId id;
    RequestId acknowledged;
    wire::ServerOperation operation;
  };

  template <class Function>
  void at_home(Function&& function);
  void decide_admission(const std::shared_ptr<Connection>& connection, const wire::Hello& hello);
  void welcome(const std::shared_ptr<Connection>& connection, bool resumed, bool attach_everywhere);
  static void reject(const std::shared_ptr<Connection>& connection, Refused why);

  void handle(Question&& question);
  static void answer(const Question& to, ServerAnswer answer);
  void open_space(Question&& question, const wire::OpenSpaceOp& open);
  ServerAnswer create_space(const wire::OpenSpaceOp& open);
  void drop_space(Question&& question, const std::string& name);
  void drop_stopped(const std::shared_ptr<SpaceHost>& host, const Question& question);
  void list_spaces(Question&& question);
  void back_up(Question&& question, const std::string& directory);
  [[nodiscard]] std::optional<Refused> check_backup(const std::string& directory) const;
  void backed_up(const std::string& directory, const Result<void>& result);
  [[nodiscard]] wire::ServerStatus status() const;

  std::shared_ptr<SpaceHost> add_host(storage::SpaceInfo info, core::SpaceState&& state);
  void sweep();
  // Looks whether the disk is low; if so, has the storage give back what it can.
  void see_to_disk();
  IoThread& home() { return *threads_.front(); }

  const ServerFacts facts_;
  const std::vector<std::unique_ptr<IoThread>>& threads_;
  HostTools& tools_;
  const Time started_at_;
  SessionTable sessions_;
  std::unordered_map<ConnectionNumber, std::shared_ptr<Connection>> admitted_;
  SpaceDirectory directory_;
  std::unordered_map<std::string, std::vector<Question>> dropping_;  // opens wait for the drop
  std::vector<Question>
      backing_up_;  // who asked for the backup that is under way; the same request
  std::optional<boost::asio::steady_timer> sweep_timer_;
  bool is_ending_ = false;
  bool disk_is_low_ = false;  // at the last look
  bool is_reclaiming_ = false;
  Time reclaimed_at_{};
};

}  // namespace linden::server
