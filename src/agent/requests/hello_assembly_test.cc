#include "agent/requests/hello_assembly.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "agent/requests/hello_builder.h"

namespace weir::agent::requests {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

weir_step_hello Piece(uint64_t socket, uint64_t time_ns, std::string_view text, size_t before) {
  weir_step_hello piece{};
  piece.step.kind = WEIR_STEP_HELLO;
  piece.step.socket = socket;
  piece.step.time_ns = time_ns;
  piece.step.bytes = static_cast<weir_u32>(before);
  piece.text_bytes = static_cast<weir_u32>(text.size());
  std::memcpy(piece.text, text.data(), text.size());
  return piece;
}

// A key share as large as several post-quantum ones.
std::string LargeHello() {
  return MakeHello(MakeExtension(51, std::string(5'000, 'k')) + MakeServerName("shop.example"));
}

TEST(HelloAssemblyTest, OneInOnePieceIsNotKept) {
  HelloAssembly assembly;
  const auto hello = assembly.Put(Piece(1, 5, MakeHello(MakeServerName("a.example")), 0));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->said.server_name, "a.example");
  EXPECT_EQ(hello->time_ns, 5U);
  EXPECT_EQ(assembly.size(), 0U);
}

TEST(HelloAssemblyTest, PiecesOfAnySizeMakeOne) {
  const std::string text = LargeHello();
  for (const size_t size : {1UL, 5UL, 9UL, 100UL, 2'048UL}) {
    SCOPED_TRACE(size);
    HelloAssembly assembly;
    std::optional<HelloAssembly::Hello> hello;
    for (size_t at = 0; at < text.size(); at += size) {
      EXPECT_FALSE(hello && hello->said.is_whole) << "not before the last piece";
      hello = assembly.Put(Piece(1, 5 + at, std::string_view(text).substr(at, size), at));
    }
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->said.server_name, "shop.example");
    EXPECT_TRUE(hello->said.is_whole);
    EXPECT_EQ(hello->time_ns, 5U) << "of the first piece: the flow began before it";
    EXPECT_EQ(assembly.size(), 0U);
  }
}

TEST(HelloAssemblyTest, SocketsAreKeptApartAndReused) {
  const std::string text = LargeHello();
  const auto piece = [&](uint64_t socket, size_t at, size_t size) {
    return Piece(socket, 1, std::string_view(text).substr(at, size), at);
  };
  HelloAssembly assembly;
  (void)assembly.Put(piece(1, 0, 2'000));
  (void)assembly.Put(piece(2, 0, 2'000));
  (void)assembly.Put(piece(1, 0, 1'000));  // another connection begins
  EXPECT_FALSE(assembly.Put(piece(1, 2'000, 2'000))) << "a piece is missing";
  EXPECT_FALSE(assembly.Put(piece(3, 2'000, 2'000))) << "nobody saw it begin";
  EXPECT_EQ(assembly.size(), 1U);
  (void)assembly.Put(piece(2, 2'000, 2'000));
  const auto whole = assembly.Put(piece(2, 4'000, 2'000));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->said.server_name, "shop.example");
}

TEST(HelloAssemblyTest, WhatIsHereIsReadAsFarAsItCame) {
  const std::string text = MakeHello(MakeServerName("early.example") + MakeExtension(51, std::string(5'000, 'k')));
  HelloAssembly assembly;
  const auto begin = assembly.Put(Piece(1, kSecond, std::string_view(text).substr(0, 500), 0));
  ASSERT_TRUE(begin);
  EXPECT_EQ(begin->said.server_name, "early.example");
  EXPECT_FALSE(begin->said.is_whole);
  EXPECT_FALSE(assembly.Put(Piece(2, kSecond, std::string_view(text).substr(0, 20), 0)));
  assembly.Expire(2 * kSecond);
  EXPECT_EQ(assembly.size(), 2U);
  assembly.Expire(2 * kSecond + HelloAssembly::kPatienceNs);
  EXPECT_EQ(assembly.size(), 0U);
}

TEST(HelloAssemblyTest, IsBounded) {
  HelloAssembly assembly;
  const std::string begin = LargeHello().substr(0, 100);
  for (uint64_t socket = 0; socket < HelloAssembly::kMaxHellos + 10; ++socket) {
    (void)assembly.Put(Piece(socket, 1, begin, 0));
  }
  EXPECT_EQ(assembly.size(), HelloAssembly::kMaxHellos);
  assembly.Clear();
  std::string endless = LargeHello();
  endless[3] = endless[7] = '\x7f';  // says it is 32 KiB long
  for (size_t at = 0; at < 2 * WEIR_HELLO_BYTES; at += 2'000) {
    (void)assembly.Put(Piece(1, 1, endless.substr(0, 2'000), at));
  }
  EXPECT_EQ(assembly.size(), 0U) << "longer than any record";
}

}  // namespace
}  // namespace weir::agent::requests
