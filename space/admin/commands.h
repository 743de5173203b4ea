// space/admin/commands.h: one function per noun or verb; each adds its command to the command line.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <CLI/CLI.hpp>

#include "space/admin/session.h"

namespace linden::admin {

// What the commands work with.  Outlives the command line.
struct Desk {
  Options options;
  Session session{options};
  int exit_code = kExitOk;
};

void add_server(CLI::App& app, Desk& desk);
void add_sessions(CLI::App& app, Desk& desk);
void add_spaces(CLI::App& app, Desk& desk);
void add_drop(CLI::App& app, Desk& desk);
void add_backup(CLI::App& app, Desk& desk);
void add_queues(CLI::App& app, Desk& desk);
void add_engines(CLI::App& app, Desk& desk);
void add_tuples(CLI::App& app, Desk& desk);
void add_count(CLI::App& app, Desk& desk);
void add_explain(CLI::App& app, Desk& desk);
void add_read(CLI::App& app, Desk& desk);
void add_take(CLI::App& app, Desk& desk);
void add_put(CLI::App& app, Desk& desk);
void add_collect(CLI::App& app, Desk& desk);
void add_revive(CLI::App& app, Desk& desk);
void add_pauses(CLI::App& app, Desk& desk);
void add_pause(CLI::App& app, Desk& desk);
void add_drain(CLI::App& app, Desk& desk);
void add_resume(CLI::App& app, Desk& desk);

void add_show(CLI::App& app, Desk& desk);
void add_dead(CLI::App& app, Desk& desk);
void add_leases(CLI::App& app, Desk& desk);
void add_purge(CLI::App& app, Desk& desk);
void add_watch(CLI::App& app, Desk& desk);
void add_top(CLI::App& app, Desk& desk);
void add_completion(CLI::App& app, Desk& desk);

// The command calls `show`, which writes to standard output: once, or with --watch again and again.
void set_show(CLI::App& command, Desk& desk, std::function<void()> show);

// `TEMPLATE`: without it the command is about `otherwise`.
CLI::Option* add_filter(CLI::App& command, std::string& form, std::string_view otherwise);
// What was written there; none if nothing was.  Throws Error.
[[nodiscard]] std::optional<Template> filter_of(const std::string& form);

// Asks at the terminal; where there is none, refuses with what `--yes` is for.
[[nodiscard]] bool is_confirmed(const std::string& question, std::string_view without_terminal);

// Prints a table no wider than the terminal, if standard output is one.
class Table;
void print_table(const Table& table);

}  // namespace linden::admin
