// python/bindings/module.cpp: linden._native; python/linden/_native.pyi is its contract.
#include <linden/version.h>

#include "convert.h"
#include "errors.h"
#include "handles.h"
#include "interpreter.h"
#include "native_object.h"
#include "native_tuple.h"

namespace linden::python {

PYBIND11_MODULE(_native, module) {
  module.doc() = "The C++ client of Linden as Python sees it; use the linden package instead.";
  module.attr("VERSION") = kVersion;
  module.attr("PROTOCOL_VERSION") = kProtocolVersion;
  count_forks();
  bind_errors(module);
  bind_object(module);
  bind_value(module);
  bind_put(module);
  bind_handout(module);
  bind_client(module);
  bind_space(module);
  bind_bell(module);
  bind_stream(module);
  bind_subscription(module);
  bind_data(module);
}

}  // namespace linden::python
