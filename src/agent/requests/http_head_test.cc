#include "agent/requests/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::agent::requests {
namespace {

TEST(RequestHeadTest, TellsMethodTargetAndLength) {
  const std::string_view text = "POST /v1/chat?x=1 HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  17 \r\n\r\n{\"a\":1}";
  const auto head = ParseRequestHead(text);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/v1/chat?x=1");
  EXPECT_EQ(head->framing.head_bytes, text.find("{"));
  EXPECT_EQ(head->framing.content_length, 17U);
  EXPECT_FALSE(head->framing.chunked);
}

TEST(RequestHeadTest, ATextThatIsCutStillTellsWhatItHolds) {
  EXPECT_EQ(ParseRequestHead("GET /a/very/long/pa")->target, "/a/very/long/pa");
  const auto head = ParseRequestHead("PUT /x HTTP/1.1\r\nContent-Length: 12");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->framing.head_bytes, 0U);
  EXPECT_FALSE(head->framing.content_length) << "the number may go on behind the cut";
}

TEST(RequestHeadTest, WhatIsNoRequestIsRefused) {
  for (const char* text :
       {"", " ", "GET", "GET ", "get / HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n", "GET / x",
        "G\x01T / HTTP/1.1\r\n", "AMETHODWITHTOOLONGANAME / HTTP/1.1\r\n", "\x16\x03\x01", "HTTP/1.1 200 OK\r\n"}) {
    EXPECT_FALSE(ParseRequestHead(text)) << text;
  }
}

TEST(AnswerHeadTest, TellsStatusAndFraming) {
  const std::string_view text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n5\r\nhello\r\n";
  const auto head = ParseAnswerHead(text);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_TRUE(head->framing.chunked);
  EXPECT_EQ(head->framing.head_bytes, text.find("5\r\n"));
  EXPECT_EQ(ParseAnswerHead("HTTP/1.0 404\r\n\r\n")->status, 404);
}

TEST(AnswerHeadTest, LengthsThatContradictAreUnclear) {
  const auto unclear = [](const std::string& fields) {
    return ParseAnswerHead("HTTP/1.1 200 OK\r\n" + fields + "\r\n")->framing.unclear;
  };
  EXPECT_FALSE(unclear("Content-Length: 5\r\nContent-Length: 5\r\n"));
  EXPECT_TRUE(unclear("Content-Length: 5\r\nContent-Length: 6\r\n"));
  EXPECT_TRUE(unclear("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
  for (const char* value : {"", "-1", "+5", "5x", "0x10", "99999999999999999999"}) {
    EXPECT_TRUE(unclear(std::string("Content-Length: ") + value + "\r\n")) << value;
  }
}

TEST(AnswerHeadTest, AnAnswerOfGrpcWebWithoutABodySaysWhatBecameOfTheCall) {
  EXPECT_EQ(ParseAnswerHead("HTTP/1.1 200 OK\r\nGrpc-Status: 14\r\n\r\n")->framing.grpc_status, 14);
  EXPECT_EQ(ParseAnswerHead("HTTP/1.1 200 OK\r\ngrpc-status: x\r\n\r\n")->framing.grpc_status, -1);
  EXPECT_EQ(ParseAnswerHead("HTTP/1.1 200 OK\r\n\r\n")->framing.grpc_status, -1);
}

TEST(AnswerHeadTest, WhatIsNoAnswerIsRefused) {
  for (const char* text : {"", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 099 x\r\n",
                           "HTTP/2.0 200 OK\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1  200", "GET / HTTP/1.1\r\n"}) {
    EXPECT_FALSE(ParseAnswerHead(text)) << text;
  }
}

TEST(HttpPrefaceTest, IsKnown) {
  EXPECT_TRUE(IsHttp2Preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_FALSE(IsHttp2Preface("PRI * HTTP/1.1\r\n"));
  EXPECT_FALSE(ParseRequestHead("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

}  // namespace
}  // namespace weir::agent::requests
