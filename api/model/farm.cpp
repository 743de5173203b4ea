// api/model/farm.cpp
#include <linden/farm.h>

#include <algorithm>
#include <array>
#include <charconv>

#include <linden/array.h>
#include <linden/error.h>
#include <linden/field_view.h>

namespace linden::farm {
namespace {

using encoding::FieldView;

constexpr std::uint32_t kAttemptsDefault = 3;  // as DEFAULT_ATTEMPTS in python/linden/farm.py
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kRecordBytesMax = std::size_t{64} << 10;
constexpr std::size_t kTagBytesMax = 32;
constexpr Duration kCancelledFor = std::chrono::hours(1);

// Positions in a task tuple.
enum TaskField : std::size_t {
  kTaskQueue = 1,
  kTaskClient,
  kTaskNumber,
  kTaskName,
  kTaskKind,
  kTaskFunction,
  kTaskOptions,
  kTaskPayload,
  kTaskFields
};
// In a result tuple, and in its meta list.
enum ResultField : std::size_t { kClient = 1, kNumber, kStatus, kMeta, kPayload, kResultFields };
enum MetaField : std::size_t {
  kMetaEngine = 0,
  kMetaSession,
  kMetaStarted,
  kMetaEnded,
  kMetaRecord
};
// In what a result keeps of its task, and in the options of a task.
enum RecordField : std::size_t {
  kRecordQueue = 0,
  kRecordName,
  kRecordKind,
  kRecordFunction,
  kRecordOptions,
  kRecordPayload,
  kRecordKept,
  kRecordFields
};
enum OptionField : std::size_t { kOptionRetries = 0, kOptionSubmitted, kOptionLabel };

constexpr std::string_view kMet = "met";  // of a conditional task that waits for nothing
constexpr std::size_t kConditionalFields = 4;

constexpr std::string_view kEngineQueue = "engine:";

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what);
}

bool is_tag(std::string_view tag) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.:-").find(c) != std::string_view::npos;
  };
  return !tag.empty() && tag.size() <= kTagBytesMax && std::ranges::all_of(tag, is_allowed);
}

SessionId session_of(const std::string& text) {
  SessionId session;
  const auto read = [](std::string_view digits, std::uint64_t& into) {
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), into, 16);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  const std::string_view view = text;
  if (view.size() != 32 || !read(view.substr(0, 16), session.high) ||
      !read(view.substr(16), session.low))
    refuse("a session is 32 hexadecimal digits, found '" + text + "'");
  return session;
}

std::uint32_t attempts_of(const Call& call) {
  if (call.engine) return 1;
  if (!call.retries) return kAttemptsDefault;
  if (*call.retries < 0 || *call.retries >= (std::int64_t{1} << 31))
    refuse("retries are at least 0, found " + std::to_string(*call.retries));
  return static_cast<std::uint32_t>(*call.retries) + 1;
}

// Roughly, as the record of a result has a bound.
std::size_t bytes_in(const FieldView& field) {
  std::size_t bytes = field.bytes.size();
  for (const Bytes& attachment : field.attachments) bytes += attachment.size();
  return bytes;
}

// Large data that a payload names go with the result, so that the task could not be given again.
bool names_data(const Value& value) {
  if (value.type() == FieldType::kObject)
    return value.as_object().codec.ends_with(kByReferenceSuffix);
  return value.type() == FieldType::kList &&
         std::ranges::any_of(value.as_list(), [](const Value& one) { return names_data(one); });
}
bool names_data(const FieldView& field) {
  return field.bytes.find(kByReferenceSuffix) != std::string_view::npos &&
         names_data(encoding::value_of(field));
}

using TaskFields = std::array<FieldView, kTaskFields>;

TaskFields split_task(const Tuple& task) {
  if (task.size() != kTaskFields) refuse("no task: " + to_string(task));
  TaskFields fields;
  encoding::FieldWalk walk(task);
  for (FieldView& field : fields) (void)walk.next(field);
  for (const auto at : {kTaskQueue, kTaskClient, kTaskName, kTaskKind, kTaskFunction}) {
    if (fields[at].type() != FieldType::kText) refuse("no task: " + to_string(task));
  }
  if (fields[kTaskNumber].type() != FieldType::kInt) refuse("no task: " + to_string(task));
  return fields;
}

// The task that a conditional one becomes; any other as it is.
TaskFields unconditional(const Tuple& task) {
  TaskFields fields = split_task(task);
  const FieldView& payload = fields[kTaskPayload];
  if (encoding::text_of(fields[kTaskKind]) != kConditional || payload.type() != FieldType::kList)
    return fields;
  encoding::ListWalk inner(payload);
  if (inner.count() != kConditionalFields) return fields;
  for (const auto at : {kTaskKind, kTaskFunction, kTaskPayload}) (void)inner.next(fields[at]);
  return fields;
}

// How many lists there are within one another; 0 if it is no list.
std::size_t depth_of(const FieldView& field) {
  if (field.type() != FieldType::kList) return 0;
  std::size_t deepest = 0;
  encoding::ListWalk walk(field);
  for (FieldView element; walk.next(element);) deepest = std::max(deepest, depth_of(element));
  return deepest + 1;
}

// The record lies in a list, its fields in another, and lists have a bound.
bool fits_record(const FieldView& field) {
  constexpr std::size_t kListsAround = 2;
  return depth_of(field) + kListsAround <= kListDepthMax;
}

void add_record(TupleBuilder& result, const TaskFields& task) {
  const FieldView& payload = task[kTaskPayload];
  const bool kept =
      bytes_in(payload) <= kRecordBytesMax && fits_record(payload) && !names_data(payload);
  const auto add_if = [&](bool fits, const FieldView& field) {
    fits ? result.add(field) : result.add_nil();
  };
  result.begin_list();
  for (const auto at : {kTaskQueue, kTaskName, kTaskKind, kTaskFunction}) result.add(task[at]);
  add_if(fits_record(task[kTaskOptions]), task[kTaskOptions]);
  add_if(kept, payload);
  result.add_bool(kept);
  result.end_list();
}

// With a builder, since there may be very many tasks.

Tuple will_of(const Call& call) {
  TupleBuilder builder;
  builder.add_text("result");
  builder.add_text(call.task.client);
  builder.add_int(call.task.number);
  builder.add_text(kEngineDied);
  builder.begin_list();
  if (call.engine) {
    builder.add_int(call.engine->id);
    builder.add_text(call.engine->session);
    builder.add_float(0.0);
    builder.add_float(0.0);
  }
  builder.end_list();
  builder.add_nil();
  return builder.build();
}

void add_options(TupleBuilder& builder, const Call& call) {
  builder.begin_list();
  if (call.engine)
    builder.add_int(0);
  else if (call.retries)
    builder.add_int(*call.retries);
  else
    builder.add_nil();
  builder.add_float(call.submitted);
  if (call.label)
    builder.add_text(*call.label);
  else
    builder.add_nil();
  builder.end_list();
}

Tuple tuple_of(const Call& call) {
  const bool has_name = !call.name.empty() && call.name.size() <= kNameBytesMax;
  TupleBuilder builder;
  builder.add_text("task");
  builder.add_text(call.queue);
  builder.add_text(call.task.client);
  builder.add_int(call.task.number);
  builder.add_text(has_name ? call.name : call.function);
  const std::string_view kind = call.is_map ? kCallMap : kCall;
  const bool anywhere = call.conditions.empty();
  builder.add_text(anywhere ? kind : kConditional);
  builder.add_text(anywhere ? call.function : kMet);
  add_options(builder, call);
  builder.add(anywhere ? call.payload
                       : Value(List{kind, call.function, call.payload, call.conditions}));
  return builder.build();
}

TaskError error_of(const Value& value) {
  const List& row = value.as_list();
  if (row.size() < 4) refuse("a malformed error: " + to_string(value));
  return {row[0].as_int(), row[1].as_text(), row[2].as_text(), row[3].as_text()};
}

void read_errors(TaskResult& result) {
  const List payload = result.payload.as_list();
  if (payload.size() != 2) refuse("a malformed result of a failed task");
  for (const Value& row : payload[0].as_list()) result.errors.push_back(error_of(row));
  if (result.errors.empty()) refuse("the result of a failed task without an error");
  result.payload = payload[1];
}

void read_meta(const List& meta, TaskResult& result) {
  if (meta.size() <= kMetaEnded) return;  // a will, put by the space
  if (!meta[kMetaEngine].is_nil()) result.engine = meta[kMetaEngine].as_int();
  result.started = meta[kMetaStarted].as_float();
  result.ended = meta[kMetaEnded].as_float();
}

// Retries of a task whose options are a list, or which has no others.
const Value& retries_of(const Value& options) {
  return options.type() == FieldType::kList ? options.as_list().at(kOptionRetries) : options;
}

Call call_of(const List& record) {
  Call call;
  call.queue = record[kRecordQueue].as_text();
  call.name = record[kRecordName].as_text();
  call.is_map = record[kRecordKind].as_text() == kCallMap;
  call.function = record[kRecordFunction].as_text();
  call.payload = record[kRecordPayload];
  const Value& options = record[kRecordOptions];
  if (const Value& retries = retries_of(options); !retries.is_nil())
    call.retries = retries.as_int();
  if (options.type() == FieldType::kList && options.as_list().size() > kOptionLabel) {
    const Value& label = options.as_list()[kOptionLabel];
    if (!label.is_nil()) call.label = label.as_text();
  }
  return call;
}

TemplateField number_field(std::optional<std::int64_t> number) {
  return number ? TemplateField(*number) : TemplateField(kInt);
}

}  // namespace

std::string message_id(const TaskId& task) {
  return task.client + "_" + std::to_string(task.number);
}

std::optional<TaskId> parse_message_id(std::string_view text) {
  const auto at = text.rfind('_');
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  TaskId task{std::string(text.substr(0, at)), 0};
  const auto digits = text.substr(at + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), task.number);
  if (digits.empty() || digits[0] == '-' || error != std::errc() ||
      end != digits.data() + digits.size())
    return std::nullopt;
  return task;
}

std::string engine_queue(std::int64_t engine) {
  return std::string(kEngineQueue) + std::to_string(engine);
}

std::optional<std::int64_t> engine_of_queue(std::string_view queue) {
  if (!queue.starts_with(kEngineQueue)) return std::nullopt;
  std::int64_t engine = 0;
  const auto digits = queue.substr(kEngineQueue.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), engine);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return engine;
}

std::vector<std::string> checked_tags(std::vector<std::string> tags) {
  std::ranges::sort(tags);
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  for (const auto& tag : tags) {
    if (!is_tag(tag))
      refuse("a tag has 1 to 32 letters, digits or any of _.:- and is not '" + tag + "'");
  }
  if (tags.size() > kTagsMax)
    refuse(std::to_string(tags.size()) + " tags, and there may be " + std::to_string(kTagsMax));
  return tags;
}

std::string tagged(std::string_view queue, std::vector<std::string> tags) {
  std::string name(queue);
  for (const auto& tag : checked_tags(std::move(tags))) name += "+" + tag;
  return name;
}

std::vector<std::string> queues_served(std::string_view queue, std::span<const std::string> tags) {
  std::vector<std::string> queues{std::string(queue)};
  for (const auto& tag : tags) {
    const std::size_t before = queues.size();
    for (std::size_t i = 0; i < before; ++i) queues.push_back(queues[i] + "+" + tag);
  }
  return queues;
}

bool is_plain(const Value& value) {
  if (value.type() == FieldType::kObject) {
    const std::string& codec = value.as_object().codec;
    // The last two: an array, or bytes, that lie elsewhere (linden/data.h).
    return codec == kArrayCodec || codec == "ndarray+data" || codec == "bytes+data";
  }
  return value.type() != FieldType::kList || std::ranges::all_of(value.as_list(), is_plain);
}

NewTuple new_task(const Call& call) {
  if (call.payload.type() != FieldType::kList || !is_plain(call.payload))
    refuse("the arguments of '" + call.function +
           "' have to be nil, bool, int, float, text, bytes, arrays or lists of these");
  NewTuple put;
  put.attributes.priority = call.priority;
  put.attributes.max_attempts = attempts_of(call);
  if (call.engine) put.attributes.lives_with = session_of(call.engine->session);
  put.attributes.will = will_of(call);
  put.tuple = tuple_of(call);
  return put;
}

Template tasks_form(const std::string& client, std::optional<std::int64_t> number) {
  return {"task", kAny, client, number_field(number), kAny, kAny, kAny, kAny, kAny};
}

TaskResult parse_result(const Tuple& tuple) {
  if (tuple.size() != kResultFields || tuple[0] != Value("result"))
    refuse("no result: " + to_string(tuple));
  TaskResult result;
  result.task = {tuple[kClient].as_text(), tuple[kNumber].as_int()};
  result.status = tuple[kStatus].as_text();
  result.payload = tuple[kPayload];
  read_meta(tuple[kMeta].as_list(), result);
  if (result.status == kError) read_errors(result);
  return result;
}

Template results_form(const std::string& client, std::optional<std::int64_t> number) {
  return {"result", client, number_field(number), kAny, kAny, kAny};
}

Template outputs_form(const std::string& client, std::optional<std::int64_t> number) {
  return {"output", client, number_field(number), kAny, kAny, kAny};
}

Tuple new_result(const Tuple& task, const Outcome& outcome, const std::optional<EngineRef>& engine,
                 double started, double ended) {
  const TaskFields fields = unconditional(task);
  TupleBuilder result;
  result.add_text("result");
  result.add(fields[kTaskClient]);
  result.add(fields[kTaskNumber]);
  result.add_text(outcome.status);
  result.begin_list();
  if (engine) {
    result.add_int(engine->id);
    result.add_text(engine->session);
  } else {
    result.add_nil();
    result.add_nil();
  }
  result.add_float(started);
  result.add_float(ended);
  add_record(result, fields);
  result.end_list();
  result.add(outcome.payload);
  return result.build();
}

Tuple with_payload(const Tuple& result, Value payload) {
  return Tuple{result[0],       result[kClient], result[kNumber],
               result[kStatus], result[kMeta],   std::move(payload)};
}

CallAgain call_again(const Tuple& result) {
  if (result.size() != kResultFields) refuse("no result: " + to_string(result));
  const List meta = result[kMeta].as_list();
  if (meta.size() <= kMetaRecord) return {{}, "the farm keeps nothing of its task"};
  const List record = meta[kMetaRecord].as_list();
  if (record.size() < kRecordFields) refuse("no result: " + to_string(result));
  const std::string kind = record[kRecordKind].as_text();
  if (kind != kCall && kind != kCallMap)
    return {{}, "its task was given in Python, and is none that other languages can give"};
  const Value& payload = record[kRecordPayload];
  if (!record[kRecordKept].as_bool() || payload.type() != FieldType::kList || !is_plain(payload) ||
      names_data(payload)) {
    return {{},
            "its task cannot be run again, for its arguments were large; up to " +
                std::to_string(kRecordBytesMax >> 10) + " KiB are remembered"};
  }
  auto call = call_of(record);
  if (call.retries == 0)
    return {{}, "its task must not run twice: it was given with retries=0, or to one engine"};
  return {std::move(call), {}};
}

Tuple resubmitted(const TaskId& task, const TaskId& again) {
  return Tuple{"resubmitted", task.client, task.number, message_id(again)};
}

Template resubmitted_form(const TaskId& task) {
  return {"resubmitted", task.client, task.number, kText};
}

Value error_payload(std::span<const TaskError> errors, Value values) {
  List rows;
  for (const auto& error : errors)
    rows.emplace_back(List{error.item, error.type, error.message, error.traceback, nullptr});
  return List{std::move(rows), std::move(values)};
}

Tuple cancelled_result(const Tuple& task) {
  return new_result(task, {kCancelled, {}}, {}, 0.0, 0.0);
}

std::vector<NewTuple> cancel(const std::string& session, const TaskId& task) {
  NewTuple word{Tuple{"control", session, "cancel", List{task.client, task.number}}, {}};
  word.attributes.lives_with = session_of(session);
  NewTuple mark{Tuple{"cancelled", task.client, task.number}, {}};
  mark.attributes.ttl = kCancelledFor;
  return {std::move(word), std::move(mark)};
}

Template engines_form() {
  return {"engine", kInt, kText, kText};
}

std::vector<NewTuple> initial_tuples() {
  return {{Tuple{"engine_id", 0}, {}}};
}

}  // namespace linden::farm
