// space/server/options.h: command line and configuration file -> what the server is to do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <linden/result.h>

#include "space/server/server.h"

namespace linden::server {

struct Options {
  bool verify = false;  // look at server.directory, and serve nothing
  ServerOptions server;
  std::string log_level = "info";
  std::string ready_file;       // empty: none
  std::optional<int> ready_fd;  // none: standard output says nothing
};

// What main has to do.
struct ParsedOptions {
  std::optional<Options> options;  // none: print `text` and end with `exit_code`
  std::string text;
  int exit_code = 0;
};

// `arguments` without the program's name.  Reads the file that --config names; what the command
// line says goes before what the file says.
[[nodiscard]] ParsedOptions parse_options(const std::vector<std::string>& arguments);

}  // namespace linden::server
