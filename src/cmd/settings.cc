#include "cmd/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "base/duration.h"

namespace weir::cmd {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

// Splits "1.5Gi" into number and suffix and multiplies; nullopt when either part is unknown.
std::optional<double> Scaled(std::string_view text, std::initializer_list<Unit> units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view suffix(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) return number * unit.factor;
  }
  return std::nullopt;
}

bool IsChoice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

Status CheckValue(const Flag& flag, const std::string& text) {
  switch (flag.type) {
    case FlagType::kDuration: return ParseDuration(text).status();
    case FlagType::kBytes: return ParseBytes(text).status();
    case FlagType::kCount: {
      uint64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc{} || end != text.data() + text.size() || number == 0) {
        return Status::Invalid(fmt::format("'{}' is not a positive whole number", text));
      }
      return Status::Ok();
    }
    case FlagType::kFraction: return ParseFraction(text).status();
    case FlagType::kChoice:
      if (!IsChoice(flag.value, text)) return Status::Invalid(fmt::format("'{}' is not one of {}", text, flag.value));
      return Status::Ok();
    case FlagType::kText:
    case FlagType::kSwitch: return Status::Ok();
  }
  return Status::Ok();
}

}  // namespace

Result<uint64_t> ParseBytes(std::string_view text) {
  std::string_view trimmed = text;
  if (trimmed.ends_with('B')) trimmed.remove_suffix(1);
  const auto bytes = Scaled(trimmed, {{"", 1},
                                      {"K", 1e3},
                                      {"k", 1e3},
                                      {"M", 1e6},
                                      {"G", 1e9},
                                      {"T", 1e12},
                                      {"Ki", 0x1p10},
                                      {"Mi", 0x1p20},
                                      {"Gi", 0x1p30},
                                      {"Ti", 0x1p40}});
  if (!bytes || *bytes > 0x1p62) {
    return Status::Invalid(fmt::format("'{}' is not an amount of bytes; write 64Mi, 10Gi or 5G", text));
  }
  return static_cast<uint64_t>(*bytes);
}

Result<double> ParseFraction(std::string_view text) {
  const auto number = Scaled(text, {{"", 1}, {"%", 0.01}});
  if (!number || *number > 1'024) return Status::Invalid(fmt::format("'{}' is not a number from 0 to 1024", text));
  return *number;
}

std::string EnvironmentName(const Flag& flag) {
  std::string name = "WEIR_";
  for (const char c : flag.name)
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

void Settings::Register(CLI::App& app, Command command) {
  for (const Flag& flag : kFlags) {
    if ((flag.commands & command) == 0) continue;
    Slot& slot = slots_[std::string(flag.name)];
    slot.flag = &flag;
    slot.text = flag.fallback;
    std::string names = fmt::format("--{}", flag.name);
    if (flag.letter != 0) names = fmt::format("-{},{}", flag.letter, names);
    std::string help(flag.help);
    if (!flag.fallback.empty()) help += fmt::format(" [{}]", flag.fallback);
    if (flag.type == FlagType::kSwitch) {
      slot.option = app.add_flag(names, slot.on, help);
    } else {
      slot.option = app.add_option(names, slot.text, help)->type_name(std::string(flag.value));
    }
    slot.typed_only = (flag.typed_only & command) != 0;
    if (!slot.typed_only) slot.option->envname(EnvironmentName(flag));
  }
}

Status Settings::ReadConfigFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Status::NotFound(fmt::format("cannot read {}: check the path given with --config", path));
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& error) {
    return Status::Invalid(fmt::format("{}: {}", path, error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    const auto known =
        std::find_if(kFlags.begin(), kFlags.end(), [&](const Flag& flag) { return flag.name == item.name; });
    if (!item.parents.empty() || known == kFlags.end()) {
      return Status::Invalid(fmt::format("{}: unknown key '{}'; keys are flag names without dashes, see docs/flags.md",
                                         path, item.fullname()));
    }
    const auto slot = slots_.find(item.name);
    if (slot == slots_.end() || slot->second.option->count() > 0) continue;  // of another command, or overridden
    if (slot->second.typed_only) continue;
    const std::string value = item.inputs.empty() ? "true" : item.inputs.front();
    if (slot->second.flag->type == FlagType::kSwitch) {
      slot->second.on = value == "true" || value == "1";
    } else {
      slot->second.text = value;
    }
  }
  return Status::Ok();
}

Status Settings::Complete() {
  if (const std::string path = Text("config"); !path.empty()) WEIR_RETURN_IF_ERROR(ReadConfigFile(path));
  for (const auto& [name, slot] : slots_) {
    if (slot.flag->type == FlagType::kSwitch || slot.text.empty()) continue;
    WEIR_RETURN_IF_ERROR(CheckValue(*slot.flag, slot.text).Annotate(fmt::format("--{}", name)));
  }
  return Status::Ok();
}

const Settings::Slot& Settings::Find(std::string_view name) const {
  static const Slot kAbsent;
  const auto slot = slots_.find(name);
  return slot == slots_.end() ? kAbsent : slot->second;
}

const std::string& Settings::Text(std::string_view name) const { return Find(name).text; }
bool Settings::Typed(std::string_view name) const {
  const Slot& slot = Find(name);
  return slot.typed_only && slot.option->count() > 0;
}
bool Settings::Switch(std::string_view name) const { return Find(name).on; }

std::chrono::milliseconds Settings::Duration(std::string_view name) const {
  const auto parsed = ParseDuration(Find(name).text);
  return std::chrono::milliseconds(parsed.ok() ? *parsed : 0);
}

uint64_t Settings::Bytes(std::string_view name) const {
  const auto parsed = ParseBytes(Find(name).text);
  return parsed.ok() ? *parsed : 0;
}

double Settings::Fraction(std::string_view name) const {
  const auto parsed = ParseFraction(Find(name).text);
  return parsed.ok() ? *parsed : 0;
}

uint64_t Settings::Number(std::string_view name) const { return std::strtoull(Find(name).text.c_str(), nullptr, 10); }

}  // namespace weir::cmd
