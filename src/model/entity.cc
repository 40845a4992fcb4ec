#include "model/entity.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir::model {

bool Entity::SameAs(const Entity& other) const {
#define WEIR_ENTITY_FIELD(name, cpp, type, help) &&name == other.name
  return id == other.id && address == other.address WEIR_ALL_ENTITY_FIELDS(WEIR_ENTITY_FIELD);
#undef WEIR_ENTITY_FIELD
}

const Entity& Of(const EntityRef& entity) {
  static const Entity unknown;
  return entity == nullptr ? unknown : *entity;
}

uint64_t ContentHash(const Entity& entity) {
  constexpr size_t kWords = 3 + std::tuple_size_v<decltype(kEntityFields)>;
  std::array<uint64_t, kWords> words{entity.id};
  static_assert(sizeof(entity.address.bytes) == 2 * sizeof(uint64_t));
  std::memcpy(&words[1], entity.address.bytes.data(), sizeof(entity.address.bytes));
  size_t at = 3;
  VisitEntity(entity, [&](EntityField, const auto& value) {
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>) {
      words[at++] = value;
    } else {
      words[at++] = value.empty() ? 0 : XXH3_64bits(value.data(), value.size());
    }
  });
  return XXH3_64bits(words.data(), sizeof(words));
}

namespace {

// Ways to one attribute each, by EntityField.
struct Access {
  uint64_t (*number)(const Entity&) = nullptr;
  const std::string& (*text)(const Entity&) = nullptr;
};

template <auto Member>
constexpr Access AccessTo() {
  if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(std::declval<Entity>().*Member)>>) {
    return {[](const Entity& entity) { return static_cast<uint64_t>(entity.*Member); }, nullptr};
  } else {
    return {nullptr, [](const Entity& entity) -> const std::string& { return entity.*Member; }};
  }
}

constexpr auto kAccess = std::to_array<Access>({
#define WEIR_ACCESS(name, cpp, type, help) AccessTo<&Entity::name>(),
    WEIR_ALL_ENTITY_FIELDS(WEIR_ACCESS)
#undef WEIR_ACCESS
});

}  // namespace

uint64_t UintOf(const Entity& entity, EntityField field) {
  const auto number = kAccess[static_cast<size_t>(field)].number;
  return number == nullptr ? 0 : number(entity);
}

const std::string& TextOf(const Entity& entity, EntityField field) {
  static const std::string none;
  const auto text = kAccess[static_cast<size_t>(field)].text;
  return text == nullptr ? none : text(entity);
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
