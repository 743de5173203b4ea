// python/shuffle/feed.h: what mappers in Python yield, on its way into the shuffle.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "workers/cpp/shuffle/map_output.h"

namespace linden::python {

namespace py = pybind11;

// Takes the pairs that mappers yield, or with `counts` keys alone, each of which counts one.  The
// hot path of jobs in Python: nothing is allocated for a str with a number.
class Feed {
 public:
  Feed(shuffle::MapOutput& output, bool counts) : output_(output), counts_(counts) {}

  // All items of what a mapper has returned.  Raises BadPair, or what iterating raises.
  void take(PyObject* yielded);
  // One pair.
  void add(PyObject* key, PyObject* value);

 private:
  void take_item(PyObject* item);
  void count(PyObject* key);
  void add_number(PyObject* key, const shuffle::Number& number);

  shuffle::MapOutput& output_;
  bool counts_;
  std::string key_;
  std::string value_;
};

}  // namespace linden::python
