// space-admin: looks into a space server, and changes little things there.
#include <iostream>
#include <CLI/CLI.hpp>

#include <linden/version.h>

#include "space/admin/commands.h"
#include "space/admin/help_text.h"

namespace linden::admin {
namespace {

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
  const std::vector<Section> sections = help_sections();
  CLI::App app(about(), "space-admin");
  app.footer(help_text(sections));
  // For the build, which makes the man page of it.
  app.add_flag_callback(
         "--man", [] { throw CLI::CallForAllHelp(); }, "")
      ->group("");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  app.fallthrough();  // options of every command may stand behind it
  Desk desk;
  add_options(app, desk.options);
  for (const auto add :
       {add_queues, add_tuples, add_show,    add_leases, add_dead,      add_engines, add_sessions,
        add_spaces, add_server, add_top,     add_watch,  add_count,     add_explain, add_read,
        add_take,   add_put,    add_collect, add_purge,  add_revive,    add_pauses,  add_pause,
        add_drain,  add_resume, add_drop,    add_backup, add_completion})
    add(app, desk);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForAllHelp&) {
    std::cout << manual(tree_of(app), sections, std::string(kVersion));
    return kExitOk;
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
