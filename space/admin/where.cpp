// space/admin/where.cpp
#include "space/admin/where.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace linden::admin {
namespace {

namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kTcp = "tcp:";

bool is_address(std::string_view text) {
  return text.starts_with(kUnix) || text.starts_with(kTcp);
}

std::optional<std::string> text_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

Failure wrong(const std::string& path, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "'" + path + "' is not a connection file: " + why +
                                           "; give --connection the file that space-cluster wrote, "
                                           "or an address such as unix:/path or tcp:host:port"};
}

Result<Where> parse(const std::string& path, const std::string& text, const Outside& outside) {
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  if (error) return wrong(path, error.message());
  const json::object* object = document.if_object();
  if (object == nullptr) return wrong(path, "it holds no JSON object");
  if (const json::value* format = object->if_contains("format");
      format != nullptr && *format != kFormat)
    return wrong(path, "its format is " + json::serialize(*format) + ", this program reads 1");
  auto address = text_at(*object, "address");
  if (!address || !is_address(*address)) return wrong(path, "it has no address");
  // The socket exists on the server's host only; elsewhere there is TCP.
  const auto tcp = text_at(*object, "tcp");
  if (tcp && address->starts_with(kUnix) && !outside.exists(address->substr(kUnix.size())))
    address = tcp;
  Where where{*address};
  if (const auto space = text_at(*object, "space"); space && !space->empty()) where.space = *space;
  return where;
}

std::string path_of_cluster(const std::optional<std::string>& cluster_id, const Outside& outside) {
  auto home = outside.variable("LINDEN_HOME");
  if (!home || home->empty()) home = outside.variable("HOME").value_or("") + "/.linden";
  return *home + "/clusters/" + cluster_id.value_or("default") + "/connection.json";
}

}  // namespace

Result<Where> find_server(const std::optional<std::string>& connection,
                          const std::optional<std::string>& cluster_id, const Outside& outside) {
  // Empty is as good as not given: so an unset variable of a shell looks.
  std::string given = connection.value_or("");
  if (given.empty() && !cluster_id) given = outside.variable("LINDEN_CONNECTION").value_or("");
  if (is_address(given)) return Where{given};
  const std::string path = given.empty() ? path_of_cluster(cluster_id, outside) : given;
  const Result<std::string> text = outside.read_file(path);
  if (!text) {
    const char* remedy =
        given.empty()
            ? "start a cluster with `space-cluster start -n 4`, or name a server with --connection"
            : "check the path, or give an address such as unix:/path";
    return Failure{ErrorCode::kUnreachable,
                   "no connection file '" + path + "' (" + text.error().message + "); " + remedy};
  }
  return parse(path, *text, outside);
}

Outside real_outside() {
  return {
      [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
      },
      [](const std::string& path) -> Result<std::string> {
        errno = 0;
        std::ifstream file(path, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        if (!file.is_open() || file.bad())
          return Failure{ErrorCode::kUnreachable, std::strerror(errno != 0 ? errno : EIO)};
        return text;
      },
      [](const std::string& path) {
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0;
      },
  };
}

}  // namespace linden::admin
