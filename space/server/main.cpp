// space-server: options in, exit code out.
#include <sys/resource.h>

#include <iostream>
#include <string>
#include <vector>

#include "space/server/options.h"
#include "space/server/ready.h"
#include "space/server/server.h"
#include "space/server/verify.h"

namespace {

// Each client takes a descriptor; the usual soft limit of 1024 would be ours for no reason.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int fail(const linden::Failure& failure) {
  std::cerr << "space-server: " << failure.message << std::endl;
  return linden::server::exit_code_of(failure);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace linden::server;
  const ParsedOptions parsed = parse_options(std::vector<std::string>(argv + 1, argv + argc));
  if (!parsed.options) {
    (parsed.exit_code == kExitClean ? std::cout : std::cerr) << parsed.text << std::flush;
    return parsed.exit_code;
  }
  const Options& options = *parsed.options;
  if (options.verify) {
    const auto verified = verify(options.server.directory, std::cout);
    return verified ? kExitClean : fail(verified.error());
  }
  const auto log = make_log(options.log_level);
  if (!log) return fail(log.error());
  raise_descriptor_limit();
  const auto server = Server::make(options.server, **log);
  if (!server) return fail(server.error());
  const std::string line = ready_line(**server);
  (*log)->info("listening unix={} tcp={}", in_quotes((*server)->unix_path()),
               in_quotes((*server)->tcp_address()));
  if (const auto told = tell_ready(options, line); !told) return fail(told.error());
  const int exit_code = (*server)->run();
  if (exit_code == kExitClean) tell_ended(options);
  return exit_code;
}
