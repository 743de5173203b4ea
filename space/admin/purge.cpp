// space/admin/purge.cpp: space-admin purge.
#include <unistd.h>
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/listing.h"
#include "space/admin/notation.h"
#include "space/admin/rounds.h"

namespace linden::admin {
namespace {

constexpr std::uint32_t kBatch = 1000;
// A dead tuple is removed by letting it expire: after so long, the shortest time to live.
constexpr Duration kDeadTtl = std::chrono::milliseconds(10);

struct PurgeOptions {
  std::string form;
  bool dead = false;
  bool yes = false;
};

// Says how far it is, in one line of a terminal.
class Progress {
 public:
  ~Progress() {
    if (said_) fmt::print(std::cerr, "\r\x1b[K");
  }
  void say(std::uint64_t removed) {
    if (!is_terminal_) return;
    fmt::print(std::cerr, "\r\x1b[K{} removed", counted(removed, "tuple"));
    std::cerr.flush();
    said_ = true;
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool said_ = false;
};

// How many there are now; they are counted a page at a time.
std::uint64_t count_dead(Session& session, const Template& form) {
  std::uint64_t dead = 0;
  ListOp page{form, {}, kBatch, true, TupleState::kDead};
  for (bool more = true; more;) {
    const auto listed = session.ask<Listed>(page);
    dead += listed.tuples.size();
    more = listed.more && !listed.tuples.empty();
    if (more) page.after = listed.tuples.back().id;
  }
  return dead;
}

// The next batch; 0: there is none.
std::uint64_t take_batch(Session& session, const Template& form) {
  try {
    return session.space().take_many(form, kBatch, Duration{0}).size();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNoMatch) return 0;
    throw;
  }
}

std::uint64_t purge_free(Session& session, const Template& form, Signals& signals) {
  Progress progress;
  std::uint64_t removed = 0;
  while (!signals.is_over()) {
    const std::uint64_t batch = take_batch(session, form);
    if (batch == 0) break;
    removed += batch;
    progress.say(removed);
    if (!signals.wait(Duration{0})) break;
  }
  return removed;
}

std::uint64_t purge_dead(Session& session, const Template& form, Signals& signals) {
  Progress progress;
  std::uint64_t removed = 0;
  ListOp page{form, {}, kBatch, true, TupleState::kDead};
  for (bool more = true; more && !signals.is_over();) {
    const auto listed = session.ask<Listed>(page);
    if (listed.tuples.empty()) break;
    RenewOp expire;
    for (const ListedTuple& one : listed.tuples) expire.items.push_back({one.id, kDeadTtl});
    for (const ErrorCode code : session.ask<FinishDone>(std::move(expire)).codes)
      removed += code == ErrorCode::kOk ? 1 : 0;
    progress.say(removed);
    page.after = listed.tuples.back().id;
    more = listed.more;
  }
  // So that they are gone when this returns.
  static_cast<void>(signals.wait(kDeadTtl));
  return removed;
}

bool is_meant(Desk& desk, const PurgeOptions& options, const Template& form) {
  if (options.yes) return true;
  const std::uint64_t matching = options.dead ? count_dead(desk.session, form)
                                              : desk.session.ask<Counted>(CountOp{form, {}}).count;
  return is_confirmed(fmt::format("{} of space '{}' match{}. Remove all of them for good?",
                                  counted(matching, options.dead ? "dead tuple" : "tuple"),
                                  harmless(desk.session.space().name()), matching == 1 ? "es" : ""),
                      "purge removes tuples for good");
}

void purge(Desk& desk, const PurgeOptions& options) {
  const Template form = parse_template(options.form).value_or_throw();
  if (!is_meant(desk, options, form)) {
    desk.exit_code = kExitNothing;
    return;
  }
  Signals signals;
  const std::uint64_t removed = options.dead ? purge_dead(desk.session, form, signals)
                                             : purge_free(desk.session, form, signals);
  const bool broken_off = signals.is_over();
  if (removed == 0 || broken_off) desk.exit_code = kExitNothing;
  if (desk.options.json)
    return print_json(boost::json::object{{"purged", removed}, {"complete", !broken_off}});
  fmt::print(std::cout, "{} removed{}\n", counted(removed, "tuple"),
             broken_off ? "; broken off before the end" : "");
}

}  // namespace

void add_purge(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("purge", "remove all ready tuples that match");
  auto options = std::make_shared<PurgeOptions>();
  command
      ->add_option("TEMPLATE", options->form,
                   R"(such as '("task", ?int, ?)'; see space-admin --help)")
      ->required();
  command->add_flag("--dead", options->dead, "those that are dead instead");
  command->add_flag("--yes", options->yes, "do not ask whether it is meant");
  command->callback([&desk, options] { purge(desk, *options); });
}

}  // namespace linden::admin
