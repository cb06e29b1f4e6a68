//! Checks JSON against the schemas under docs/schema.
//!
//! Only what our generated schemas are made of is known; any other keyword
//! fails the test. The validators on crates.io take minutes to compile.

use serde_json::Value;

/// A schema with its definitions.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    /// Where and how a document is not as the schema says.
    pub(crate) fn problem(&self, document: &Value) -> Option<String> {
        self.check(&self.0, document, "")
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let keywords = match schema {
            Value::Bool(true) => return None,
            Value::Object(keywords) => keywords,
            other => panic!("{other} is no schema"),
        };
        keywords.iter().find_map(|(keyword, rule)| {
            self.keyword(keyword, rule, value, at)
                .map(|problem| format!("{at}: {problem}"))
        })
    }

    fn keyword(&self, keyword: &str, rule: &Value, value: &Value, at: &str) -> Option<String> {
        let list = || rule.as_array().unwrap().iter();
        let fails = |holds: bool| (!holds).then(|| format!("{value} is not {keyword} {rule}"));
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "format" | "pattern" => None,
            "uniqueItems" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                fails((1..items.len()).all(|at| !items[..at].contains(&items[at])))
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(self.0.pointer(pointer).unwrap(), value, at)
            }
            "type" if rule.is_array() => fails(list().any(|name| has_type(value, name))),
            "type" => fails(has_type(value, rule)),
            "const" => fails(value == rule),
            "enum" => fails(list().any(|allowed| allowed == value)),
            "minimum" => fails(!value.is_number() || value.as_f64() >= rule.as_f64()),
            "maximum" => fails(!value.is_number() || value.as_f64() <= rule.as_f64()),
            "anyOf" | "oneOf" => {
                fails(list().any(|schema| self.check(schema, value, at).is_none()))
            }
            "allOf" => list().find_map(|schema| self.check(schema, value, at)),
            "required" => fails(list().all(|name| value.get(name.as_str().unwrap()).is_some())),
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                let mut items = items.map(|(index, item)| (format!("{at}/{index}"), item));
                items.find_map(|(at, item)| self.check(rule, item, &at))
            }
            "properties" => {
                let mut rules = rule.as_object().unwrap().iter();
                rules.find_map(|(name, rule)| {
                    self.check(rule, value.get(name)?, &format!("{at}/{name}"))
                })
            }
            // Ours have none besides properties, but for maps.
            "additionalProperties" => {
                let mut values = value.as_object().into_iter().flatten();
                values.find_map(|(name, value)| self.check(rule, value, &format!("{at}/{name}")))
            }
            other => panic!("{other} in a schema is not known here"),
        }
    }
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is not a type known here"),
    }
}
