// workers/cpp/registration.cpp
#include "workers/cpp/registration.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <span>
#include <thread>

#include <linden/data.h>

#include "workers/cpp/utf8_text.h"

namespace linden {
namespace {

constexpr Duration kRegisterWithin = std::chrono::seconds(30);
constexpr Duration kCounterLease = std::chrono::seconds(30);

std::string quoted(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : utf8_text(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json += "\\u00";
      json += kDigits[byte >> 4U];
      json += kDigits[byte & 0xFU];
    } else {
      json += c;
    }
  }
  return json + '"';
}

std::string quoted(std::span<const std::string> texts) {
  std::string json = "[";
  for (const auto& text : texts) json += (json.size() > 1 ? ", " : "") + quoted(text);
  return json + "]";
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string now_as_text() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &local);
  return text.data();
}

}  // namespace

std::string engine_info(const FunctionRegistry& functions, const EngineOptions& options) {
  std::string json = "{\"language\": \"C++\"";
  json += ", \"pid\": " + std::to_string(::getpid());
  json += ", \"host\": " + quoted(host_name());
  if (const auto host_id = data_host_id(); !host_id.empty())
    json += ", \"host_id\": " + quoted(host_id);
  json += ", \"name\": " + quoted(options.name);
  json += ", \"cores\": " + std::to_string(std::thread::hardware_concurrency());
  json += ", \"threads\": " + std::to_string(options.threads);
  json += ", \"started\": " + quoted(now_as_text());
  json += ", \"functions\": " + quoted(functions.names());
  if (!options.tags.empty()) json += ", \"tags\": " + quoted(options.tags);
  return json + "}";
}

std::int64_t register_engine(Space& space, const std::string& info) {
  for (;;) {
    auto counter = space.reserve(Template{"engine_id", kInt}, kCounterLease, kRegisterWithin);
    const std::int64_t id = counter.tuple()[1].as_int();
    NewTuple engine{Tuple{"engine", id, to_string(space.client().session()), info}, {}};
    engine.attributes.lives_with = space.client().session();
    try {
      counter.finish({{Tuple{"engine_id", id + 1}, {}}, std::move(engine)});
      return id;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kStaleLease) throw;  // it took too long; once more
    }
  }
}

}  // namespace linden
