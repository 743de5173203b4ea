// python/bindings/bind_subscription.cpp: Subscription, being told of every matching put.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "handles.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

// (number, Handout), or (first number, how many are missing) for a gap.
py::tuple pair_of(Subscription::Item&& item) {
  if (const auto* gap = std::get_if<Gap>(&item)) return py::make_tuple(gap->first, gap->count);
  auto& one = std::get<Notification>(item);
  Handout handout;
  handout.id = one.id;
  handout.template_index = one.template_index;
  handout.tuple = std::move(one.tuple);
  return py::make_tuple(one.number,
                        py::reinterpret_steal<py::object>(new_handout(std::move(handout))));
}

py::list next_batch(SubscriptionHandle& self, const py::object& timeout, std::size_t count) {
  Subscription& subscription = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  auto items = without_gil([&](const Interrupt& interrupt) {
    return subscription.next_batch(longest, count, interrupt);
  });
  py::list pairs;
  for (auto& item : items) pairs.append(pair_of(std::move(item)));
  return pairs;
}

void close(SubscriptionHandle& self) {
  Subscription& subscription = self.get();
  briefly_without_gil([&] { subscription.close(); });
}

}  // namespace

void bind_subscription(py::module_& module) {
  py::class_<SubscriptionHandle>(module, "Subscription", "Tells of every matching put.")
      .def_property_readonly("initial_count",
                             [](SubscriptionHandle& self) { return self.get().initial_count(); })
      .def("next_batch", &next_batch, py::arg("timeout") = py::none(), py::arg("count") = 1000,
           "What is there, at least one and at most `count`, as (number, Handout) or, for a gap, "
           "(first number, count); [] after timeout.")
      .def(
          "announce", [](SubscriptionHandle& self) { return self.get().announce().value; },
          "Client.completions answers None to the returned id once next_batch would not wait.")
      .def("close", &close);
}

}  // namespace linden::python
