// python/bindings/bind_space.cpp: Space, the requests to one space.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <utility>

#include "convert.h"
#include "handles.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

// Sending writes to the socket without waiting, which is faster than to give the GIL away and wait
// for it again; only what is large may have to wait for the server.
constexpr std::size_t kSentUnderGilMax = std::size_t{64} << 10;

std::size_t byte_size(const std::vector<NewTuple>& tuples) {
  std::size_t bytes = 0;
  for (const NewTuple& one : tuples) bytes += one.tuple.byte_size();
  return bytes;
}

AnswerTo answer_to_of(bool queue) {
  return queue ? AnswerTo::kQueue : AnswerTo::kWaiter;
}

std::uint64_t send(SpaceHandle& self, Operation&& operation, AnswerTo answer_to,
                   std::size_t bytes = 0) {
  Space& space = self.get();
  Client& client = self.client->get();
  RequestId request;
  if (bytes < kSentUnderGilMax)
    request = client.send(space.number(), std::move(operation), answer_to);
  else
    briefly_without_gil(
        [&] { request = client.send(space.number(), std::move(operation), answer_to); });
  return request.value;
}

TakeMode mode_of(int mode) {
  if (mode < 0 || mode > static_cast<int>(TakeMode::kReserve))
    throw py::value_error("mode: wanted READ, TAKE or RESERVE");
  return static_cast<TakeMode>(mode);
}

using TokenPair = std::pair<std::uint64_t, std::uint32_t>;
Token token_of(const TokenPair& pair) {
  return {TupleId{pair.first}, pair.second};
}

std::uint64_t send_put(SpaceHandle& self, const py::object& puts, std::uint64_t transaction,
                       bool queue, bool patient) {
  PutOp put{new_tuples_of(puts.ptr()), RequestId{transaction}};
  const std::size_t bytes = byte_size(put.tuples);
  const AnswerTo answer_to = patient ? AnswerTo::kPatientWaiter : answer_to_of(queue);
  return send(self, std::move(put), answer_to, bytes);
}

std::uint64_t send_take(SpaceHandle& self, int mode, const py::object& forms, std::uint32_t count,
                        const py::object& timeout, const py::object& lease,
                        std::uint64_t transaction, bool queue) {
  return send(
      self,
      TakeOp{mode_of(mode), templates_of(forms.ptr()), count, duration_of(timeout.ptr(), "timeout"),
             duration_of(lease.ptr(), "lease"), RequestId{transaction}},
      answer_to_of(queue));
}

std::uint64_t send_finish(SpaceHandle& self, const py::iterable& items, bool queue) {
  FinishOp finish;
  std::size_t bytes = 0;
  for (const py::handle& item : items) {
    const auto [token, puts] = item.cast<std::pair<std::optional<TokenPair>, py::object>>();
    FinishItem one{std::nullopt, new_tuples_of(puts.ptr())};
    if (token) one.token = token_of(*token);
    bytes += byte_size(one.puts);
    finish.items.push_back(std::move(one));
  }
  return send(self, std::move(finish), answer_to_of(queue), bytes);
}

std::uint64_t send_release(SpaceHandle& self, const std::vector<TokenPair>& tokens, bool started,
                           const py::object& delay, bool queue) {
  const Duration after = delay.is_none() ? Duration{0} : duration_of(delay.ptr(), "delay");
  ReleaseOp release;
  for (const TokenPair& token : tokens) release.items.push_back({token_of(token), started, after});
  return send(self, std::move(release), answer_to_of(queue));
}

std::uint64_t send_commit(SpaceHandle& self, const py::object& puts,
                          const std::vector<TokenPair>& finishes,
                          const std::vector<std::uint64_t>& takes, bool queue) {
  CommitOp commit{new_tuples_of(puts.ptr()), {}, {}};
  for (const TokenPair& token : finishes) commit.finishes.push_back(token_of(token));
  for (const std::uint64_t id : takes) commit.takes.push_back(TupleId{id});
  const std::size_t bytes = byte_size(commit.puts);
  return send(self, std::move(commit), answer_to_of(queue), bytes);
}

std::uint64_t send_begin(SpaceHandle& self, const py::object& lease, bool queue) {
  return send(self, BeginOp{duration_of(lease.ptr(), "lease")}, answer_to_of(queue));
}

std::uint64_t send_end(SpaceHandle& self, std::uint64_t transaction, bool commit, bool queue) {
  return send(self, EndOp{RequestId{transaction}, commit}, answer_to_of(queue));
}

std::uint64_t send_renew(SpaceHandle& self, const std::vector<std::uint64_t>& ids,
                         const py::object& ttl, bool queue) {
  std::optional<Duration> after;
  if (!ttl.is_none()) after = duration_of(ttl.ptr(), "ttl");
  RenewOp renew;
  for (const std::uint64_t id : ids) renew.items.push_back({TupleId{id}, after});
  return send(self, std::move(renew), answer_to_of(queue));
}

std::uint64_t send_collect(SpaceHandle& self, const py::object& form, std::uint32_t to, bool copy,
                           bool queue) {
  return send(self, CollectOp{template_of(form.ptr()), SpaceNumber{to}, copy}, answer_to_of(queue));
}

std::optional<Template> template_or_none(const py::object& form) {
  if (form.is_none()) return std::nullopt;
  return template_of(form.ptr());
}

std::uint64_t send_revive(SpaceHandle& self, const std::optional<std::vector<std::uint64_t>>& ids,
                          const py::object& form, bool queue) {
  ReviveOp revive;
  revive.all = !ids;
  if (ids) {
    for (const std::uint64_t id : *ids) revive.ids.push_back(TupleId{id});
  }
  revive.form = template_or_none(form);
  return send(self, std::move(revive), answer_to_of(queue));
}

std::uint64_t send_pause(SpaceHandle& self, const py::object& form, bool drain, bool queue) {
  return send(self, PauseOp{drain ? PauseKind::kDrain : PauseKind::kPause, template_or_none(form)},
              answer_to_of(queue));
}

std::uint64_t send_resume(SpaceHandle& self, const py::object& form, bool all, bool queue) {
  return send(self, ResumeOp{template_or_none(form), all}, answer_to_of(queue));
}

std::uint64_t send_pauses(SpaceHandle& self, bool queue) {
  return send(self, ListPausesOp{}, answer_to_of(queue));
}

std::uint64_t send_count(SpaceHandle& self, const py::object& form, std::uint64_t transaction,
                         bool queue) {
  return send(self, CountOp{template_of(form.ptr()), RequestId{transaction}}, answer_to_of(queue));
}

std::uint64_t send_explain(SpaceHandle& self, const py::object& form, bool queue) {
  return send(self, ExplainOp{template_of(form.ptr())}, answer_to_of(queue));
}

std::uint64_t send_list(SpaceHandle& self, const py::object& form, std::uint64_t after,
                        std::uint32_t limit, bool all_states, bool dead, bool queue) {
  ListOp list{template_or_none(form), TupleId{after}, limit, all_states || dead, std::nullopt};
  if (dead) list.state = TupleState::kDead;
  return send(self, std::move(list), answer_to_of(queue));
}

std::uint64_t send_summarize(SpaceHandle& self, std::uint32_t first_fields, std::uint32_t groups,
                             bool queue) {
  return send(self, SummarizeOp{first_fields, groups, {}}, answer_to_of(queue));
}

std::uint64_t send_sessions(SpaceHandle& self, bool queue) {
  return send(self, ListSessionsOp{}, answer_to_of(queue));
}

void cancel(SpaceHandle& self, std::uint64_t request) {
  self.client->get().cancel(self.space.number(), RequestId{request});
}

std::unique_ptr<StreamHandle> open_stream(SpaceHandle& self, int mode, const py::object& forms,
                                          std::uint32_t credit, const py::object& lease,
                                          std::uint64_t after) {
  StreamOp stream{mode_of(mode),  templates_of(forms.ptr()),
                  credit,         duration_of(lease.ptr(), "lease"),
                  TupleId{after}, {}};
  return std::make_unique<StreamHandle>(self.client, self.get().open_stream(std::move(stream)));
}

std::unique_ptr<SubscriptionHandle> subscribe(SpaceHandle& self, const py::object& forms,
                                              bool initial, bool follow, std::uint32_t credit) {
  SubscribeOp what;
  what.templates = templates_of(forms.ptr());
  what.credit = credit;
  what.initial = initial;
  what.follow = follow;
  Space& space = self.get();
  Subscription subscription = without_gil(
      [&](const Interrupt& interrupt) { return space.subscribe(std::move(what), interrupt); });
  return std::make_unique<SubscriptionHandle>(self.client, std::move(subscription));
}

}  // namespace

void bind_space(py::module_& module) {
  module.attr("READ") = static_cast<int>(TakeMode::kRead);
  module.attr("TAKE") = static_cast<int>(TakeMode::kTake);
  module.attr("RESERVE") = static_cast<int>(TakeMode::kReserve);

  const auto queue = py::arg("queue") = false;
  const auto lease = py::arg("lease") = py::float_(30.0);
  const auto transaction = py::arg("transaction") = 0;
  py::class_<SpaceHandle>(module, "Space",
                          "Requests to one space.  send_* return a request id; its answer comes "
                          "from Client.wait, or from Client.completions if queue=True.")
      .def_property_readonly("name", [](const SpaceHandle& self) { return self.space.name(); })
      .def_property_readonly("number",
                             [](const SpaceHandle& self) { return self.space.number().value; })
      .def_property_readonly("durability",
                             [](const SpaceHandle& self) { return self.space.durability(); })
      .def_property_readonly("created",
                             [](const SpaceHandle& self) { return self.space.created(); })
      .def_property_readonly("client", [](const SpaceHandle& self) { return self.client; })
      .def("send_put", &send_put, py::arg("puts"), py::kw_only(), transaction, queue,
           py::arg("patient") = false,
           "patient: the answer is waited for, but not soon, and so need not be hurried.")
      .def("send_take", &send_take, py::arg("mode"), py::arg("forms"), py::kw_only(),
           py::arg("count") = 1, py::arg("timeout") = py::none(), lease, transaction, queue)
      .def("send_finish", &send_finish, py::arg("items"), py::kw_only(), queue)
      .def("send_release", &send_release, py::arg("tokens"), py::kw_only(),
           py::arg("started") = true, py::arg("delay") = py::none(), queue)
      .def("send_renew", &send_renew, py::arg("ids"), py::arg("ttl") = py::none(), py::kw_only(),
           queue)
      .def("send_revive", &send_revive, py::arg("ids"), py::arg("form") = py::none(), py::kw_only(),
           queue)
      .def("send_pause", &send_pause, py::arg("form"), py::kw_only(), py::arg("drain") = false,
           queue)
      .def("send_resume", &send_resume, py::arg("form"), py::kw_only(), py::arg("all") = false,
           queue)
      .def("send_pauses", &send_pauses, py::kw_only(), queue)
      .def("send_commit", &send_commit, py::arg("puts"), py::arg("finishes"), py::arg("takes"),
           py::kw_only(), queue)
      .def("send_begin", &send_begin, py::kw_only(), lease, queue)
      .def("send_end", &send_end, py::arg("transaction"), py::kw_only(), py::arg("commit") = true,
           queue)
      .def("send_collect", &send_collect, py::arg("form"), py::arg("to"), py::kw_only(),
           py::arg("copy") = false, queue)
      .def("send_count", &send_count, py::arg("form"), py::kw_only(), transaction, queue)
      .def("send_explain", &send_explain, py::arg("form"), py::kw_only(), queue)
      .def("send_list", &send_list, py::arg("form") = py::none(), py::kw_only(),
           py::arg("after") = 0, py::arg("limit") = 100, py::arg("all_states") = false,
           py::arg("dead") = false, queue)
      .def("send_summarize", &send_summarize, py::arg("first_fields") = 2, py::arg("groups") = 1000,
           py::kw_only(), queue)
      .def("send_sessions", &send_sessions, py::kw_only(), queue)
      .def("cancel", &cancel, py::arg("request"),
           "Ends a waiting take; its answer still comes, as Cancelled or what was found already.")
      .def("open_stream", &open_stream, py::arg("mode"), py::arg("forms"), py::kw_only(),
           py::arg("credit") = 1, lease, py::arg("after") = 0)
      .def("subscribe", &subscribe, py::arg("forms"), py::kw_only(), py::arg("initial") = false,
           py::arg("follow") = true, py::arg("credit") = 1000,
           "Returns once the space tells of puts; follow=False: only what is there, a snapshot.");
}

}  // namespace linden::python
