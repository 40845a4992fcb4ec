// Splits a filter's text into words, quoted strings and operators. Private to the filter parser.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "model/filter.h"

namespace weir::model {

struct FilterToken {
  enum class Kind { kEnd, kWord, kString, kOperator, kOpen, kClose, kComma } kind = Kind::kEnd;
  size_t offset = 0;                 // of the first byte
  std::string text;                  // kWord: as written; kString: with escapes resolved; otherwise the symbol
  CompareOp op = CompareOp::kEqual;  // kOperator
};

// kInvalid: "at character N: problem", N counted in code points from 1, as an editor counts them.
Status FilterError(std::string_view text, size_t offset, std::string_view problem, std::string_view remedy = "");

// Part of a user's text made safe to repeat in a message: no control characters, at most 40 bytes.
std::string FilterExcerpt(std::string_view text);

class FilterLexer {
 public:
  // `text` must outlive the lexer.
  explicit FilterLexer(std::string_view text) : text_(text) {}

  // The next token; kEnd for ever once the text is used up.
  Result<FilterToken> Next();

 private:
  Result<FilterToken> Quoted();
  Status Escape(std::string& value);
  FilterToken Word();
  Result<FilterToken> Operator();

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace weir::model
