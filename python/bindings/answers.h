// python/bindings/answers.h: answers of a server as Python values.
#pragma once

#include <pybind11/pybind11.h>

#include <linden/client.h>
#include <linden/operation.h>

namespace linden::python {

// put: list of ids; take: list of Handout; finish and release: list of codes; count: int; list,
// summarize, sessions: plain dicts and lists; None for Done.  A refusal throws Error.
[[nodiscard]] pybind11::object value_of_answer(Answer&& answer);
// (request, ok, value or exception)
[[nodiscard]] pybind11::tuple completion_of(Completion&& completion);

[[nodiscard]] pybind11::dict dict_of(const SpaceStatus& status);
[[nodiscard]] pybind11::dict dict_of(const ServerInfo& info);

}  // namespace linden::python
