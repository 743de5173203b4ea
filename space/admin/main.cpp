// space-admin: looks into a space server, and changes little things there.
#include <iostream>
#include <CLI/CLI.hpp>

#include <linden/version.h>

#include "space/admin/commands.h"

namespace linden::admin {
namespace {

constexpr const char* kAbout =
    "space-admin shows what is in a tuple space, and puts and takes tuples.";

constexpr const char* kNotation = R"(
WHICH SERVER
  --connection FILE or ADDRESS, else $LINDEN_CONNECTION, else the cluster's connection.json in
  ${LINDEN_HOME:-~/.linden}/clusters/ID, which space-cluster writes. ID is --cluster-id or "default".

TUPLES AND TEMPLATES (quote them for the shell)
  row       ("task", 17, nil)     fields in parentheses; (17,) and () are rows too
  values    nil true false 17 -1.5 "text" b"bytes" [1, ["a"]]
  formals   ?                     any field, nil too
            ?int                  a type: nil bool int float text bytes list object
            "abc"*                text that begins so
            1..5                  from 1 to 5, both included; also "a".."f"
            {1, 2, "three"}       one of these
            [1, ?int, ?]          a list of as many, each a value or formal
  escapes   \n \t \r \\ \" \' \xNN, and in text \uNNNN \UNNNNNNNN
  No field equals one of another type: 1, 1.0, true and "1" are four.

EXAMPLES
  space-admin queues
  space-admin tuples '("task", "any"*, ?, ?, ?, ?, ?, ?, ?)' --state started
  space-admin count '("result", ?, ?int, {"error", "engine_died"}, ?, ?)'
  space-admin --space demo put '("greeting", "hello")' --create
  space-admin --space demo take '("greeting", ?text)' --yes --json

EXIT CODES
  0 done   1 nothing matched, or take was declined   2 wrong usage
  3 cannot reach the server, or it did not answer in time   4 the server refused
)";

void add_options(CLI::App& app, Options& options) {
  app.add_option("--connection", options.connection,
                 "connection file, or unix:/path, tcp:host:port")
      ->type_name("WHERE")
      ->take_last();
  app.add_option("--cluster-id", options.cluster_id, "the cluster of that name")
      ->type_name("ID")
      ->take_last();
  app.add_option("--space", options.space, "which space (default: the connection file's, or farm)")
      ->type_name("NAME")
      ->take_last();
  app.add_option("--timeout", options.timeout_s, "how long to wait for the server")
      ->type_name("SECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->take_last();
  app.add_flag("--json", options.json, "print one JSON document");
}

void complain(const std::string& message) {
  std::cerr << "space-admin: " << message << std::endl;
}

int run(int argc, char** argv) {
  CLI::App app(kAbout, "space-admin");
  app.footer(kNotation);
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  app.fallthrough();  // options of every command may stand behind it
  Desk desk;
  add_options(app, desk.options);
  for (const auto add : {add_queues, add_tuples, add_engines, add_sessions, add_spaces, add_server,
                         add_count, add_explain, add_read, add_take, add_put, add_collect, add_drop,
                         add_backup, add_revive, add_pauses, add_pause, add_drain, add_resume})
    add(app, desk);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& asked) {
    return app.exit(asked);
  } catch (const CLI::CallForVersion& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    complain(std::string(error.what()) + "; see space-admin --help");
    return kExitUsage;
  } catch (const Error& error) {
    complain(error.what());
    return exit_code_of(error.code());
  }
  return desk.exit_code;
}

}  // namespace

}  // namespace linden::admin

int main(int argc, char** argv) {
  return linden::admin::run(argc, argv);
}
