#include "cmd/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>

namespace weir::cmd {
namespace {

struct Parsed {
  CLI::App app;
  Settings settings;
  Status status;
};

std::unique_ptr<Parsed> Parse(Command command, std::vector<std::string> arguments) {
  auto parsed = std::make_unique<Parsed>();
  parsed->settings.Register(parsed->app, command);
  std::reverse(arguments.begin(), arguments.end());
  parsed->app.parse(arguments);
  parsed->status = parsed->settings.Complete();
  return parsed;
}

std::string WriteConfig(std::string_view text) {
  std::string path = testing::TempDir() + "weir-settings-test.toml";
  std::ofstream(path) << text;
  return path;
}

TEST(Flags, NamesAndLettersAreUniqueAndDefaultsAreValid) {
  std::set<std::pair<uint32_t, std::string_view>> names;
  std::set<std::pair<uint32_t, char>> letters;
  for (const Flag& flag : kFlags) {
    SCOPED_TRACE(flag.name);
    EXPECT_TRUE(flag.help.ends_with('.'));
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
      if ((flag.commands & bit) == 0) continue;
      EXPECT_TRUE(names.insert({bit, flag.name}).second) << "twice for one command";
      if (flag.letter != 0) {
        EXPECT_TRUE(letters.insert({bit, flag.letter}).second) << flag.letter;
      }
    }
  }
  for (const Command command : {kUp, kAgent, kServer, kFlows, kMap, kTop, kStatus, kNodes, kReplay}) {
    EXPECT_TRUE(Parse(command, {})->status.ok());
  }
}

TEST(Settings, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string config = WriteConfig("interval = \"5s\"\nnode = \"from-file\"\nmax-flows = 7\nsince = \"1h\"\n");
  setenv("WEIR_NODE", "from-env", 1);
  const auto parsed = Parse(kUp, {"--config", config, "--interval", "250ms"});
  unsetenv("WEIR_NODE");
  ASSERT_TRUE(parsed->status.ok()) << parsed->status.message();
  EXPECT_EQ(parsed->settings.Duration("interval").count(), 250);
  EXPECT_EQ(parsed->settings.Text("node"), "from-env");
  EXPECT_EQ(parsed->settings.Number("max-flows"), 7U);
  EXPECT_EQ(parsed->settings.Text("listen"), "127.0.0.1:7600");
}

TEST(Settings, BadValuesNameTheFlagAndThePossibilities) {
  EXPECT_THAT(Parse(kUp, {"--interval", "fast"})->status.message(),
              testing::HasSubstr("--interval: 'fast' is not a duration"));
  EXPECT_THAT(Parse(kUp, {"--mode", "magic"})->status.message(), testing::HasSubstr("auto|ebpf|sock_diag"));
  EXPECT_THAT(Parse(kUp, {"--max-flows", "-1"})->status.message(), testing::HasSubstr("positive whole number"));
  EXPECT_THAT(Parse(kUp, {"--config", "/nonexistent"})->status.message(), testing::HasSubstr("--config"));
  EXPECT_THAT(Parse(kUp, {"--config", WriteConfig("intervall = 1\n")})->status.message(),
              testing::HasSubstr("intervall"));
}

TEST(Settings, WhatMustBeTypedIsTakenFromNowhereElse) {
  setenv("WEIR_SERVER", "http://from-env", 1);
  const std::string config = WriteConfig("server = \"http://from-file\"\n");
  EXPECT_EQ(Parse(kFlows, {})->settings.Text("server"), "http://from-env");
  EXPECT_FALSE(Parse(kReplay, {"--config", config})->settings.Typed("server"));
  const auto typed = Parse(kReplay, {"--server", "http://typed"});
  unsetenv("WEIR_SERVER");
  EXPECT_TRUE(typed->settings.Typed("server"));
  EXPECT_EQ(typed->settings.Text("server"), "http://typed");
  EXPECT_FALSE(typed->settings.Typed("output"));
}

TEST(Settings, BytesAndFractions) {
  EXPECT_EQ(*ParseBytes("64Ki"), 65'536U);
  EXPECT_EQ(*ParseBytes("2GB"), 2'000'000'000U);
  EXPECT_DOUBLE_EQ(*ParseFraction("0.05"), 0.05);
  EXPECT_DOUBLE_EQ(*ParseFraction("5%"), 0.05);
  for (const char* text : {"", "x", "-0.1", "2000", "0.1c"}) EXPECT_FALSE(ParseFraction(text).ok()) << text;
  for (const char* text : {"", "1X", "-5", "1e80"}) EXPECT_FALSE(ParseBytes(text).ok()) << text;
}

}  // namespace
}  // namespace weir::cmd
