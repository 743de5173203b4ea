// python/shuffle/module.cpp: linden._shuffle; python/linden/_shuffle.pyi is its contract.
#include "convert.h"
#include "objects.h"
#include "workers/cpp/shuffle/error.h"

namespace linden::python {

PYBIND11_MODULE(_shuffle, module) {
  module.doc() = "The shuffle of MapReduce in C++; use linden.MapReduce instead.";
  bad_pair_error = PyErr_NewException("linden._shuffle.BadPair", PyExc_TypeError, nullptr);
  module.attr("BadPair") = py::handle(bad_pair_error);
  py::register_exception<shuffle::ShuffleError>(module, "ShuffleError", PyExc_RuntimeError);
  py::enum_<shuffle::Combine>(module, "Combine")
      .value("NONE", shuffle::Combine::kNone)
      .value("SUM", shuffle::Combine::kSum)
      .value("MIN", shuffle::Combine::kMin)
      .value("MAX", shuffle::Combine::kMax);
  bind_pairs(module);
  bind_output(module);
}

}  // namespace linden::python
