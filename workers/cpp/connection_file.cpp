// workers/cpp/connection_file.cpp
#include "workers/cpp/connection_file.h"

#include <unistd.h>
#include <boost/json/src.hpp>  // Boost.JSON itself, compiled here once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include <linden/error.h>

namespace linden::worker {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::int64_t kFormat = 1;
constexpr std::chrono::milliseconds kPoll{20};

bool is_address(const std::string& text) {
  return text.starts_with("unix:") || text.starts_with("tcp:");
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path with_home(const std::string& path) {
  if (path == "~" || path.starts_with("~/")) return fs::path(variable("HOME") + path.substr(1));
  return path;
}

fs::path cluster_file(const std::string& cluster_id) {
  const std::string home = variable("LINDEN_HOME");
  return with_home(home.empty() ? "~/.linden" : home) / "clusters" /
         (cluster_id.empty() ? "default" : cluster_id) / "connection.json";
}

std::string text_at(const json::object& values, const char* name) {
  const json::value* value = values.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what);
}

std::vector<std::string> texts_at(const json::object& values, const char* name) {
  std::vector<std::string> texts;
  const json::value* value = values.if_contains(name);
  if (value == nullptr || !value->is_array()) return texts;
  for (const auto& item : value->get_array())
    texts.emplace_back(item.is_string() ? std::string(item.get_string()) : json::serialize(item));
  return texts;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// On the server's host its Unix socket alone, elsewhere those by TCP.  A home directory that hosts
// share shows them the file of a socket that only one of them can use.
std::vector<std::string> candidates(const std::string& address, std::vector<std::string> others,
                                    const std::string& host) {
  if (!address.starts_with("unix:")) {
    others.insert(others.begin(), address);
    return others;
  }
  std::error_code ignored;
  const bool is_here = (host.empty() || host == host_name()) &&
                       fs::exists(address.substr(std::strlen("unix:")), ignored);
  return is_here || others.empty() ? std::vector{address} : others;
}

// Of a text such as unix:/path,tcp:a:1,tcp:b:1.
std::vector<std::string> addresses_in(const std::string& text) {
  std::vector<std::string> addresses;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    if (is_address(part)) {
      addresses.push_back(part);
    } else if (addresses.back().starts_with("unix:")) {  // a path may hold commas
      addresses.back() += "," + part;
    } else {
      refuse("'" + part + "' in '" + text + "' is no address such as unix:/path or tcp:host:port");
    }
  }
  return addresses;
}

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Farm wait_for_file(const fs::path& path, std::chrono::milliseconds timeout, bool is_named) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (const auto text = read_file(path)) return parse_connection(*text, path.string());
    if (std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(kPoll);  // nobody tells of a file that comes
  }
  throw Error(
      ErrorCode::kUnreachable,
      "no connection file " + path.string() + " within " +
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(timeout).count()) +
          " s; " +
          (is_named ? "check the path" : "start a cluster with `space-cluster start -n 4`"));
}

}  // namespace

Farm parse_connection(const std::string& text, const std::string& source) {
  boost::system::error_code error;
  const json::value document = json::parse(text, error);
  if (error) refuse(source + " is not a connection file: " + error.message());
  const json::object* values = document.if_object();
  if (values == nullptr) refuse(source + " is not a connection file: it holds no JSON object");
  const json::value* format = values->if_contains("format");
  if (format != nullptr && *format != json::value(kFormat))
    refuse(source + " has format " + json::serialize(*format) + ", this version of Linden reads " +
           std::to_string(kFormat));
  const std::string address = text_at(*values, "address");
  if (!is_address(address)) refuse(source + " has no address such as unix:/path or tcp:host:port");
  auto others = texts_at(*values, "addresses");
  if (const auto tcp = text_at(*values, "tcp"); others.empty() && !tcp.empty())
    others.push_back(tcp);
  for (const auto& other : others) {
    if (!is_address(other)) refuse(source + " has as an address '" + other + "'");
  }
  Farm farm;
  farm.addresses = candidates(address, std::move(others), text_at(*values, "host"));
  if (const std::string space = text_at(*values, "space"); !space.empty()) farm.space = space;
  return farm;
}

Farm find_farm(const std::string& where, const std::string& cluster_id,
               std::chrono::milliseconds timeout) {
  std::string found = where;
  if (found.empty() && cluster_id.empty()) found = variable("LINDEN_CONNECTION");
  if (is_address(found)) return {addresses_in(found), "farm"};
  if (found.empty()) return wait_for_file(cluster_file(cluster_id), timeout, false);
  return wait_for_file(with_home(found), timeout, true);
}

}  // namespace linden::worker
