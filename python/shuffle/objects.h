// python/shuffle/objects.h: what linden._shuffle gives to Python; python/linden/_shuffle.pyi is its
// contract.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "workers/cpp/shuffle/functions.h"
#include "workers/cpp/shuffle/map_output.h"
#include "workers/cpp/shuffle/merge.h"
#include "workers/cpp/shuffle/text_split.h"

namespace linden::python {

namespace py = pybind11;

// A sorted source, key by key or pair by pair, with what it reads from.
class Pairs {
 public:
  Pairs(shuffle::SourcePtr source, py::object owner)
      : owner_(std::move(owner)), source_(std::move(source)) {}

  // (key, values, whether these are all), with at most about `limit` values; None at the end.
  py::object next_group(std::size_t limit);
  // Further values of that key; empty at their end.
  py::list more_values(std::size_t limit);
  // The next pairs as tuples; empty at the end.
  py::list next_pairs(std::size_t limit);

  shuffle::SourcePtr take_source() { return std::move(source_); }
  shuffle::Source& source() { return *source_; }
  [[nodiscard]] const py::object& owner() const { return owner_; }

 private:
  bool advance();

  py::object owner_;
  shuffle::SourcePtr source_;
  bool begun_ = false;
  bool more_ = false;
  shuffle::Record ahead_;
  std::string key_;
};

// How records of a file become arguments of a mapper.
struct TextForm {
  std::optional<std::string> encoding;  // none: bytes
  std::string errors = "strict";
};

void bind_output(py::module_& module);
void bind_pairs(py::module_& module);

}  // namespace linden::python
