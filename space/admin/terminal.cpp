// space/admin/terminal.cpp: tables on standard output, questions at the terminal.
#include <unistd.h>
#include <fmt/format.h>
#include <fmt/ostream.h>
#include <sys/ioctl.h>

#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/table.h"

namespace linden::admin {

void print_table(const Table& table) {
  winsize size{};
  const bool is_terminal = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  std::cout << table.text(is_terminal ? size.ws_col : 0);
}

bool is_confirmed(const std::string& question, std::string_view without_terminal) {
  if (::isatty(STDIN_FILENO) == 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}, and there is no terminal to ask at; add --yes if that is what you "
                            "want",
                            without_terminal));
  fmt::print(std::cerr, "{} [y/N] ", question);
  std::cerr.flush();
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace linden::admin
