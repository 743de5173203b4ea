// api/data/farm_tuples.cpp
#include "api/data/farm_tuples.h"

#include <linden/data.h>
#include <linden/ids.h>

namespace linden {

Tuple data_use(const DataRef& ref, std::string_view client, std::int64_t number,
               std::string_view role) {
  return Tuple{"data", ref.name, std::string(client), number, std::string(role)};
}

Template data_farm_form(std::string_view farm_id) {
  return Template{"data_farm", std::string(farm_id), kBytes};
}

namespace data {

NewTuple farm_identity(const FarmIdentity& identity) {
  NewTuple made{Tuple{"data_farm", identity.id, Bytes::copy_of(identity.secret)}, {}};
  // Of two processes that make one at the same time, the second is refused.
  RareAttributes rare;
  rare.key = "data_farm";
  made.attributes.rare = Rare(std::move(rare));
  return made;
}

Template farm_identity_form() {
  return Template{"data_farm", kText, kBytes};
}

Template uses_form(std::string_view name) {
  return Template{"data", std::string(name), kText, kInt, kText};
}

Template arguments_form() {
  return Template{"data", kText, kText, kInt, "argument"};
}

Template arguments_form(std::string_view client, std::int64_t number,
                        std::optional<std::string> name) {
  const TemplateField named = name ? TemplateField(*std::move(name)) : TemplateField(kText);
  return Template{"data", named, std::string(client), number, "argument"};
}

NewTuple holder(const std::string& store, const SessionId& session,
                const std::vector<std::string>& addresses) {
  List list;
  for (const auto& address : addresses) list.emplace_back(address);
  NewTuple made{Tuple{"data_holder", store, to_string(session), std::move(list)}, {}};
  made.attributes.lives_with = session;
  return made;
}

Template holders_form(const std::string& store) {
  return Template{"data_holder", store, kText, kList};
}

NewTuple wanted(const std::string& store, const std::string& name, const std::string& fetch,
                Duration ttl) {
  NewTuple made{Tuple{"data_wanted", store, name, fetch}, {}};
  made.attributes.ttl = ttl;
  return made;
}

Template wanted_form(const std::string& store) {
  return Template{"data_wanted", store, kText, kText};
}

NewTuple part(const std::string& name, const std::string& fetch, std::int64_t index,
              std::int64_t count, Bytes bytes, Duration ttl) {
  NewTuple made{Tuple{"data_part", name, fetch, index, count, std::move(bytes)}, {}};
  if (ttl > Duration::zero()) made.attributes.ttl = ttl;
  return made;
}

Template part_form(const std::string& name, const std::string& fetch, std::int64_t index) {
  return Template{"data_part", name, fetch, index, kInt, kBytes};
}

Template parts_form(const std::string& name, const std::string& fetch) {
  return Template{"data_part", name, fetch, kInt, kInt, kBytes};
}

}  // namespace data
}  // namespace linden
