// space/admin/terminal.cpp: tables on standard output.
#include <unistd.h>
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

}  // namespace linden::admin
