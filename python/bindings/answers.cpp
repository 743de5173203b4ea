// python/bindings/answers.cpp
#include "answers.h"

#include <bit>

#include "convert.h"
#include "errors.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

using py::literals::operator""_a;

py::object fields_of(const Tuple& tuple) {
  return py::reinterpret_steal<py::object>(new_fields(tuple));
}

py::dict dict_of(const ListedTuple& listed) {
  py::object holder = py::none();
  if (!listed.holder.is_none()) holder = py::str(to_string(listed.holder));
  py::object expires_in = py::none();
  if (listed.expires_in) expires_in = py::float_(seconds_of(*listed.expires_in));
  py::object lease_left = py::none();
  if (listed.lease_left) lease_left = py::float_(seconds_of(*listed.lease_left));
  return py::dict("id"_a = listed.id.value, "state"_a = name_of(listed.state),
                  "attempt"_a = listed.attempt, "priority"_a = listed.priority, "holder"_a = holder,
                  "expires_in"_a = expires_in, "lease_left"_a = lease_left,
                  "fields"_a = fields_of(listed.tuple));
}

py::dict dict_of(const SummaryGroup& group) {
  return py::dict("arity"_a = group.arity,
                  "first_fields"_a = fields_of(Tuple(std::span<const Value>(group.first_fields))),
                  "ready"_a = group.ready, "reserved"_a = group.reserved,
                  "started"_a = group.started, "dead"_a = group.dead, "bytes"_a = group.bytes,
                  "delayed"_a = group.delayed, "behind"_a = group.behind,
                  "guarded"_a = group.guarded, "paused"_a = group.paused);
}

py::dict dict_of(const PauseInfo& pause) {
  py::object form = py::none();
  if (pause.form) form = py::str(to_string(*pause.form));
  return py::dict("kind"_a = name_of(pause.kind), "template"_a = form, "set_by"_a = pause.set_by,
                  "set_for"_a = seconds_of(pause.set_for), "tuples"_a = pause.tuples);
}

py::dict dict_of(const SessionInfo& session) {
  py::object lease_left = py::none();
  if (session.lease_left) lease_left = py::float_(seconds_of(*session.lease_left));
  return py::dict("id"_a = to_string(session.id), "name"_a = session.name,
                  "connected"_a = session.connected,
                  "silent_for"_a = seconds_of(session.silent_for), "held"_a = session.held,
                  "waiting"_a = session.waiting, "lease_left"_a = lease_left);
}

template <class Items>
py::list dicts_of(const Items& items) {
  py::list list;
  for (const auto& item : items) list.append(dict_of(item));
  return list;
}

struct ToPython {
  py::object operator()(Done&&) const { return py::none(); }
  py::object operator()(Refused&& refused) const { throw Error(refused.code, refused.message); }
  py::object operator()(PutDone&& done) const {
    py::list ids(done.count);
    for (std::uint32_t i = 0; i < done.count; ++i)
      PyList_SET_ITEM(ids.ptr(), i, py::int_(done.first.value + i).release().ptr());
    return ids;
  }
  py::object operator()(KeyedPutDone&& done) const {
    py::list ids;
    for (const TupleId id : done.ids) ids.append(id.value);
    return ids;
  }
  py::object operator()(Found&& found) const { return new_handouts(std::move(found.tuples)); }
  py::object operator()(FinishDone&& done) const {
    py::list codes;
    for (const ErrorCode code : done.codes) codes.append(static_cast<int>(code));
    return codes;
  }
  py::object operator()(Counted&& counted) const { return py::int_(counted.count); }
  py::object operator()(Explained&& explained) const {
    py::list index;
    for (std::uint64_t rest = explained.index; rest != 0; rest &= rest - 1)
      index.append(std::countr_zero(rest));
    return py::dict("index"_a = py::tuple(index), "learned"_a = explained.learned,
                    "tuples"_a = explained.tuples, "candidates"_a = explained.candidates,
                    "matches"_a = explained.matches, "scans"_a = explained.scans);
  }
  py::object operator()(Listed&& listed) const {
    return py::dict("tuples"_a = dicts_of(listed.tuples), "more"_a = listed.more);
  }
  py::object operator()(Summary&& summary) const {
    return py::dict("groups"_a = dicts_of(summary.groups), "tuples"_a = summary.tuples,
                    "waiters"_a = summary.waiters, "streams"_a = summary.streams,
                    "pauses"_a = summary.pauses, "more"_a = summary.more);
  }
  py::object operator()(PausesListed&& listed) const { return dicts_of(listed.pauses); }
  py::object operator()(SessionsListed&& listed) const { return dicts_of(listed.sessions); }
};

}  // namespace

py::object value_of_answer(Answer&& answer) {
  return std::visit(ToPython{}, std::move(answer));
}

py::tuple completion_of(Completion&& completion) {
  const auto* refused = std::get_if<Refused>(&completion.answer);
  const bool ok = refused == nullptr;
  py::object value = ok ? value_of_answer(std::move(completion.answer))
                        : make_exception(refused->code, refused->message);
  return py::make_tuple(completion.request.value, ok, std::move(value));
}

py::dict dict_of(const SpaceStatus& status) {
  return py::dict("number"_a = status.number.value, "name"_a = status.name,
                  "durability"_a = status.durability, "tuples"_a = status.tuples,
                  "ready"_a = status.ready, "reserved"_a = status.reserved, "dead"_a = status.dead,
                  "waiters"_a = status.waiters, "bytes"_a = status.bytes, "scans"_a = status.scans,
                  "paused"_a = status.paused, "pauses"_a = status.pauses);
}

py::dict dict_of(const ServerInfo& info) {
  return py::dict("version"_a = info.version, "pid"_a = info.pid, "up"_a = seconds_of(info.up),
                  "directory"_a = info.directory, "durability"_a = info.durability,
                  "connections"_a = info.connections, "sessions"_a = info.sessions,
                  "requests"_a = info.requests, "commits"_a = info.commits);
}

}  // namespace linden::python
