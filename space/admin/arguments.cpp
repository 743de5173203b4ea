// space/admin/arguments.cpp: what several commands have in common on the command line.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "space/admin/commands.h"
#include "space/admin/notation.h"
#include "space/admin/rounds.h"

namespace linden::admin {
namespace {

constexpr double kEveryShortest_s = 0.1;
constexpr Duration kEveryDefault = std::chrono::seconds(2);

Duration every_of(const std::string& seconds) {
  if (seconds.empty()) return kEveryDefault;
  double number = 0;
  const auto [end, error] =
      std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
  const bool whole = error == std::errc() && end == seconds.data() + seconds.size();
  if (!whole || !(number >= kEveryShortest_s))
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("--watch: wanted seconds of at least {}, found '{}'; a template stands "
                            "before --watch",
                            kEveryShortest_s, seconds));
  return duration_of(number);
}

}  // namespace

void set_show(CLI::App& command, Desk& desk, std::function<void()> show) {
  auto every = std::make_shared<std::string>();
  const CLI::Option* const watch =
      command
          .add_option("--watch", *every,
                      "show it again so often, every 2 seconds if not said, until Ctrl-C")
          ->type_name("SECONDS")
          ->expected(0, 1);
  command.callback([&desk, every, watch, show = std::move(show)] {
    if (watch->count() == 0) return show();
    show_in_rounds(desk, every_of(*every), 0, show);
  });
}

CLI::Option* add_filter(CLI::App& command, std::string& form, std::string_view otherwise) {
  return command.add_option(
      "TEMPLATE", form, fmt::format(R"(such as '("task", ?int, ?)'; without it, {})", otherwise));
}

std::optional<Template> filter_of(const std::string& form) {
  if (form.empty()) return std::nullopt;
  return parse_template(form).value_or_throw();
}

}  // namespace linden::admin
