// SPDX-License-Identifier: GPL-2.0
// A strict JSON parser for the output of the model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace json {

struct Value {
	enum Kind { Null, Bool, Number, String, Array, Object } kind = Null;
	bool boolean = false;
	std::string text;	       // a string, or a number as written
	std::vector<Value> items;      ///< elements of an array or an object
	std::vector<std::string> keys; ///< keys of an object's elements

	const Value *find(std::string_view key) const;
	unsigned long long number() const { return std::stoull(text, nullptr, 0); }
};

/// Parse a text that is one value. Return nothing if the text is not JSON (RFC 8259) or an object
/// has a key twice.
std::optional<Value> parse(std::string_view text);

} // namespace json
