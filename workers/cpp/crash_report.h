// workers/cpp/crash_report.h: says on stderr which function ran when the process crashes.
//
// A crash ends the engine, and the space gives the task its result; what a person needs is the name
// of the function.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace linden {

// Installs handlers of the signals that mean a crash, for the whole process, while it lives.
class CrashReport {
 public:
  CrashReport();
  ~CrashReport();
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;

  // What the calling thread runs now.  Costs nothing while no report is installed.
  class Running {
   public:
    Running(std::string_view function, std::string_view client, std::int64_t number) noexcept;
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
  };

  // Room for the handler where the thread's own stack has run out; for each thread that runs tasks.
  class Stack {
   public:
    Stack();
    ~Stack();
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

   private:
    std::unique_ptr<char[]> bytes_;
  };
};

}  // namespace linden
