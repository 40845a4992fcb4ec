#include "model/entity.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <iterator>

namespace weir::model {

bool Entity::SameAs(const Entity& other) const {
#define WEIR_ENTITY_FIELD(name, cpp, type, help) &&name == other.name
  return id == other.id WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD);
#undef WEIR_ENTITY_FIELD
}

const Entity& Of(const EntityRef& entity) {
  static const Entity unknown;
  return entity == nullptr ? unknown : *entity;
}

EntityId HashOfKey(std::initializer_list<std::string_view> parts) {
  fmt::basic_memory_buffer<char, 512> key;
  for (const std::string_view part : parts) fmt::format_to(std::back_inserter(key), "{}:{}", part.size(), part);
  return std::max<EntityId>(XXH3_64bits(key.data(), key.size()), 1);
}

EntityId AgentEndId(std::string_view node, std::string_view home, std::string_view process, uint32_t netns) {
  return HashOfKey({"agent", node, home, process, fmt::format_int(netns).c_str()});
}

EntityId AddressId(const Address& address, std::string_view holder) {
  const std::string_view bytes(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  return HashOfKey({"address", bytes, holder});
}

}  // namespace weir::model
