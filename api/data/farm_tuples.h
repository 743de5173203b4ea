// api/data/farm_tuples.h: the tuples by which processes of a farm agree on large data.
//
//   ("data_farm", id, secret)                     one; made by the first process that has large
//   data
//   ("data", name, client, number, role)          keeps data; role "argument" or "result"
//   ("data_holder", store, session, addresses)    a process that gives what the store has; lives
//   with
//                                                 its session; addresses "host:port", or none
//   ("data_wanted", store, name, fetch)           to the holders of a store: put it into the space
//   ("data_part", name, fetch, index, count, bytes)   a part of data; fetch is "" for what stays
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linden/attributes.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden::data {

struct FarmIdentity {
  std::string id;      // 16 hex digits
  std::string secret;  // 32 random bytes
};

[[nodiscard]] NewTuple farm_identity(const FarmIdentity& identity);
[[nodiscard]] Template farm_identity_form();

[[nodiscard]] Template uses_form(std::string_view name);
// What keeps the arguments of any task; of one, all or those of a name.
[[nodiscard]] Template arguments_form();
[[nodiscard]] Template arguments_form(std::string_view client, std::int64_t number,
                                      std::optional<std::string> name = {});

[[nodiscard]] NewTuple holder(const std::string& store, const SessionId& session,
                              const std::vector<std::string>& addresses);
[[nodiscard]] Template holders_form(const std::string& store);

[[nodiscard]] NewTuple wanted(const std::string& store, const std::string& name,
                              const std::string& fetch, Duration ttl);
[[nodiscard]] Template wanted_form(const std::string& store);

// `ttl`: of a part that is for one fetch; zero for what stays.
[[nodiscard]] NewTuple part(const std::string& name, const std::string& fetch, std::int64_t index,
                            std::int64_t count, Bytes bytes, Duration ttl);
[[nodiscard]] Template part_form(const std::string& name, const std::string& fetch,
                                 std::int64_t index);
[[nodiscard]] Template parts_form(const std::string& name, const std::string& fetch);

// Bytes of a part: well below what a frame may hold.
inline constexpr std::size_t kPartBytes = std::size_t{8} << 20;

}  // namespace linden::data
