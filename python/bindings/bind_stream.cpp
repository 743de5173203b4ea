// python/bindings/bind_stream.cpp: Stream, a standing take, read or reservation.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <linden/bell.h>

#include "handles.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

py::object next(StreamHandle& self, const py::object& timeout) {
  Stream& stream = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  auto handout =
      without_gil([&](const Interrupt& interrupt) { return stream.next(longest, interrupt); });
  if (!handout) return py::none();
  return py::reinterpret_steal<py::object>(new_handout(std::move(*handout)));
}

py::list next_batch(StreamHandle& self, const py::object& timeout, std::size_t count) {
  Stream& stream = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  return new_handouts(without_gil(
      [&](const Interrupt& interrupt) { return stream.next_batch(longest, count, interrupt); }));
}

// These hand over to a queue or write without waiting, so they keep the GIL: see bind_space.cpp.
void finish(StreamHandle& self, std::uint64_t id, std::uint32_t attempt, const py::object& puts,
            std::optional<bool> flush) {
  Stream& stream = self.get();
  std::vector<NewTuple> tuples = new_tuples_of(puts.ptr());
  const bool now = flush.value_or(stream.queued() == 0);
  stream.finish({TupleId{id}, attempt}, std::move(tuples), now);
  drop_released();
}

void put(StreamHandle& self, const py::object& puts, bool flush) {
  self.get().put(new_tuples_of(puts.ptr()), flush);
  drop_released();
}

void release(StreamHandle& self, std::uint64_t id, std::uint32_t attempt, bool started) {
  self.get().release({TupleId{id}, attempt}, started);
}

void close(StreamHandle& self) {
  Stream& stream = self.get();
  briefly_without_gil([&] { stream.close(); });
}

bool wait(const Bell& bell, const py::object& timeout, int descriptor) {
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  const py::gil_scoped_release released;
  return bell.wait(longest, descriptor);
}

}  // namespace

void bind_bell(py::module_& module) {
  py::class_<Bell>(module, "Bell",
                   "Wakes a thread that looks after several things, whichever of them wants it.")
      .def(py::init<>())
      .def("ring", &Bell::ring)
      .def(
          "ring_within",
          [](const Bell& bell, const py::object& delay) {
            bell.ring_within(duration_of(delay.ptr(), "delay"));
          },
          py::arg("delay"))
      .def("wait", &wait, py::arg("timeout") = py::none(), py::arg("descriptor") = -1);
}

void bind_stream(py::module_& module) {
  constexpr std::size_t kBatchMax = 100'000;
  py::class_<StreamHandle>(module, "Stream",
                           "A standing take, read or reservation: tuples come by themselves.")
      .def("next", &next, py::arg("timeout") = py::none(), "The next tuple, or None after timeout.")
      .def("next_batch", &next_batch, py::arg("timeout") = py::none(), py::arg("count") = kBatchMax,
           "All that is there, at least one; [] after timeout.")
      .def("finish", &finish, py::arg("id"), py::arg("attempt"), py::arg("puts") = py::tuple(),
           py::arg("flush") = py::none(),
           "Queues one atomic finish.  A stale token is dropped silently.")
      .def("put", &put, py::arg("puts"), py::arg("flush") = false,
           "Puts that keep their order with the finishes.")
      .def("release", &release, py::arg("id"), py::arg("attempt"), py::arg("started") = false)
      .def("flush", [](StreamHandle& self) { self.get().flush(); })
      .def(
          "set_credit",
          [](StreamHandle& self, std::uint32_t credit) { self.get().set_credit(credit); },
          py::arg("credit"))
      .def_property_readonly("queued", [](StreamHandle& self) { return self.get().queued(); })
      .def(
          "on_news",
          [](StreamHandle& self, const Bell& bell) { self.get().on_news([bell] { bell.ring(); }); },
          py::arg("bell"),
          "Rings when next() would not wait any more, or would raise; and when the client has "
          "reached the server again.")
      .def("close", &close);
}

}  // namespace linden::python
