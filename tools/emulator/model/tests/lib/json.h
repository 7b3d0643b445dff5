// SPDX-License-Identifier: GPL-2.0
// A strict little JSON parser, enough to check what the model prints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace json {

struct Value {
	enum Kind { Null, Bool, Number, String, Array, Object } kind = Null;
	bool boolean = false;
	std::string text;	       // of a string, or a number as written
	std::vector<Value> items;      ///< of an array, or an object
	std::vector<std::string> keys; ///< of an object's items

	const Value *find(std::string_view key) const;
	unsigned long long number() const { return std::stoull(text, nullptr, 0); }
};

/// The whole text is one value, no key twice in an object; nothing if it is not JSON (RFC 8259).
std::optional<Value> parse(std::string_view text);

} // namespace json
