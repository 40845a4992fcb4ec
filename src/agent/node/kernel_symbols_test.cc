#include "agent/node/kernel_symbols.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace weir::agent::node {
namespace {

constexpr const char* kSymbols =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000100 t tcp_v4_rcv\n"
    "ffffffff81000180 d some_data\n"
    "ffffffff81000200 t ip_forward.part.0\n"
    "ffffffff81000300 T last\n"
    "ffffffffc0000100 t nft_do_chain\t[nf_tables]\n"
    "ffffffffc0000000 t earlier_of_a_module\t[nf_tables]\n";

SymbolSearch SearchFor(std::vector<uint64_t> addresses, std::string_view text = kSymbols) {
  SymbolSearch search(std::move(addresses));
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    search.Line(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return search;
}

TEST(SymbolSearch, FindsTheFunctionAnAddressIsIn) {
  const SymbolSearch search = SearchFor({0xffffffffc0000123, 0xffffffff81000191, 0xffffffff81000191, 0xffffffff81000192,
                                         0xffffffff81000100, 0xffffffff81000250, 0xffffffffc0000010});
  EXPECT_EQ(search.NameOf(0xffffffffc0000123), "nft_do_chain");
  EXPECT_EQ(search.NameOf(0xffffffff81000191), "tcp_v4_rcv") << "data is no function";
  EXPECT_EQ(search.NameOf(0xffffffff81000192), "tcp_v4_rcv") << "two in one function";
  EXPECT_EQ(search.NameOf(0xffffffff81000100), "tcp_v4_rcv");
  EXPECT_EQ(search.NameOf(0xffffffff81000250), "ip_forward") << "without what the compiler put behind it";
  EXPECT_EQ(search.NameOf(0xffffffffc0000010), "earlier_of_a_module") << "modules are not sorted";
}

TEST(SymbolSearch, WhatIsBelowAllSymbolsOrHiddenHasNoName) {
  EXPECT_EQ(SearchFor({0x1000}).NameOf(0x1000), "");
  EXPECT_EQ(SearchFor({5}).NameOf(6), "");
  EXPECT_EQ(SearchFor({0xffffffff81000100}, "0000000000000000 t hidden\n").NameOf(0xffffffff81000100), "");
}

TEST(SymbolSearch, SurvivesLinesThatAreNone) {
  SymbolSearch search({100});
  for (const char* line : {"", "5", "5 ", "5 t", "5 t ", "xyz t name", " t name", "ffffffffffffffffffffff t name"}) {
    search.Line(line);
  }
  EXPECT_EQ(search.NameOf(100), "");
}

TEST(KernelSymbols, ReadsTheFileAgainForNewAddresses) {
  std::string path = testing::TempDir() + "weir-symbols-XXXXXX";
  ASSERT_GE(::mkstemp(path.data()), 0);
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "ffffffff80000000 t padding_so_that_lines_cross_the_chunks\n";  // 0.5 MB
  std::ofstream(path) << text << kSymbols << "ffffffffd0000000 t at_the_end_without_a_newline";
  Result<KernelSymbols> symbols = KernelSymbols::Open(path);
  ASSERT_TRUE(symbols.ok()) << symbols.status().message();
  EXPECT_FALSE(symbols->Knows({0xffffffff81000110}));
  ASSERT_TRUE(symbols->Learn({0xffffffff81000110}).ok());
  EXPECT_TRUE(symbols->Knows({0xffffffff81000110}));
  EXPECT_EQ(symbols->NameOf(0xffffffff81000110), "tcp_v4_rcv");
  ASSERT_TRUE(symbols->Learn({0xffffffffc0000110, 0x10}).ok());
  EXPECT_EQ(symbols->NameOf(0xffffffffc0000110), "nft_do_chain");
  EXPECT_EQ(symbols->NameOf(0x10), "?");
  EXPECT_EQ(symbols->NameOf(0xffffffff81000110), "tcp_v4_rcv");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace weir::agent::node
